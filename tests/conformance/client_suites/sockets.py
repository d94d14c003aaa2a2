"""python-zaqarclient's WebSocket transport, and os-collect-config with it, as users of a cloud.

`sockets.py RESULT` writes {test: [outcome, why]} into the file RESULT; where the cloud is stands in the environment.
"""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import time

from keystoneauth1 import loading, session
from zaqarclient import transport
from zaqarclient.transport import errors, request

URL, CLOUD = os.environ["WEBSOCKET_URL"], json.loads(pathlib.Path(os.environ["OS_CLIENT_CONFIG_FILE"]).read_text())
FACTS = json.loads(os.environ["FACTS"])
SECONDS = 30


def same(found, wanted):
    """Fails unless the two are equal."""
    if found != wanted:
        raise AssertionError(f"{found!r} is not {wanted!r}")


def token(user):
    """A new token of the user."""
    auth = loading.get_plugin_loader("password").load_from_options(**CLOUD["clouds"][user]["auth"])
    return session.Session(auth=auth).get_token()


class Client:
    """A connection of python-zaqarclient as a user, in his project or another one's."""

    def __init__(self, user, project=None):
        options = {"os_auth_token": token(user), "os_project_id": project or FACTS["users"][user]["project_id"]}
        self.transport = transport.get_transport_for(URL, options={"auth_opts": {"backend": "keystone", "options": options}})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.transport.cleanup()

    def __call__(self, action, **body):
        """(status, body) of an action's answer."""
        answer = self.transport.send(request.Request(URL, action, content=json.dumps(body)))
        return answer.status_code, json.loads(answer.content)

    def pushed(self):
        """The next frame, which nobody asked for."""
        self.transport._ws.settimeout(SECONDS)
        return self.transport.recv()


@contextlib.contextmanager
def raises(kind):
    """Fails unless the block raises it."""
    try:
        yield
    except kind:
        return
    raise AssertionError(f"no {kind.__name__}")


def queues(ask):
    """zaqarclient: queues"""
    same(ask("queue_create", queue_name="s-one", metadata={"color": "red"})[0], 201)
    same(ask("queue_create", queue_name="s-one")[0], 204)
    same(ask("queue_get", queue_name="s-one"), (200, {"color": "red"}))
    # The project has queues of other clients too, whose names are less.
    same(ask("queue_list", marker="s-"), (200, {"queues": [{"name": "s-one"}]}))
    same(ask("queue_get_stats", queue_name="s-one"), (200, {"messages": {"claimed": 0, "free": 0, "total": 0}}))
    same(ask("queue_delete", queue_name="s-one")[0], 204)


def messages(ask):
    """zaqarclient: messages"""
    status, body = ask("message_post", queue_name="s-two", messages=[{"body": {"n": 1}, "ttl": 300}, {"body": "Ω"}])
    ids = body["message_ids"]
    same((status, len(ids)), (201, 2))
    listed = ask("message_list", queue_name="s-two", echo=True)[1]["messages"]
    same([(each["id"], each["body"]) for each in listed], [(ids[0], {"n": 1}), (ids[1], "Ω")])
    same(ask("message_get", queue_name="s-two", message_id=ids[0])[1]["messages"]["body"], {"n": 1})
    same(ask("message_delete", queue_name="s-two", message_id=ids[0]), (204, {}))
    same([each["id"] for each in ask("message_delete_many", queue_name="s-two", pop=5)[1]["messages"]], [ids[1]])


def claims(ask):
    """zaqarclient: claims"""
    ask("message_post", queue_name="s-three", messages=[{"body": 1, "ttl": 300}])
    status, claim = ask("claim_create", queue_name="s-three", ttl=300, grace=60)
    same((status, [each["body"] for each in claim["messages"]]), (201, [1]))
    same(ask("claim_update", queue_name="s-three", claim_id=claim["claim_id"], ttl=400)[0], 204)
    same(ask("claim_get", queue_name="s-three", claim_id=claim["claim_id"])[1]["ttl"], 400)
    with raises(errors.ForbiddenError):
        ask("message_delete", queue_name="s-three", message_id=claim["messages"][0]["id"])
    same(ask("claim_delete", queue_name="s-three", claim_id=claim["claim_id"])[0], 204)
    same(ask("claim_create", queue_name="s-three", ttl=300, grace=60)[0], 201)
    same(ask("claim_create", queue_name="s-three", ttl=300, grace=60)[0], 204)


def pushes(ask):
    """zaqarclient: a subscription and what it brings"""
    status, made = ask("subscription_create", queue_name="s-four", ttl=600)
    same((status, made["message"]), (201, "Subscription s-four created."))
    with Client("alice") as other:
        other("message_post", queue_name="s-four", messages=[{"body": {"n": 4}, "ttl": 300}])
    same(ask.pushed(), {"queue_name": "s-four", "ttl": 300, "body": {"n": 4}, "Message_Type": "Notification"})
    listed = ask("subscription_list", queue_name="s-four")[1]["subscriptions"]
    same([(each["id"], each["ttl"]) for each in listed], [(made["subscription_id"], 600)])
    with raises(errors.ConflictError):
        ask("subscription_create", queue_name="s-four", ttl=600)
    same(ask("subscription_delete", queue_name="s-four", subscription_id=made["subscription_id"])[0], 204)


def mistakes(ask):
    """zaqarclient: what it raises"""
    with raises(errors.MalformedRequest):
        ask("queue_create", queue_name="no name")
    with raises(errors.ResourceNotFound):
        ask("message_get", queue_name="s-five", message_id="00000000-0000-0000-0000-000000000000")


def strangers(_ask):
    """zaqarclient: another one's project"""
    with Client("alice", FACTS["users"]["bob"]["project_id"]) as foreign, raises(errors.ForbiddenError):
        foreign("queue_list")


def collector(user, queue):
    """A started os-collect-config of that user, which prints what it finds in the queue."""
    lines = [
        "[DEFAULT]",
        "[zaqar]",
        "use_websockets = True",
        f"auth_url = {FACTS['auth_url']}",
        f"user_id = {FACTS['users'][user]['id']}",
        f"password = {FACTS['password']}",
        f"project_id = {FACTS['users'][user]['project_id']}",
        f"queue_id = {queue}",
        f"region_name = {FACTS['region']}",
    ]
    config = pathlib.Path(f"{queue}.conf").absolute()
    config.write_text("\n".join(lines) + "\n")
    program = pathlib.Path(sys.executable).with_name("os-collect-config")
    # Its own first line names the folder that it was installed in, which may have been moved since.
    command = [sys.executable, program, "--config-file", config]
    command += ["--cachedir", config.with_suffix(".cache"), "--print", "zaqar"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def collected(process):
    """What it printed."""
    try:
        out, said = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        out, said = process.communicate()
        raise AssertionError(f"no end after {SECONDS} s: {out} {said}") from None
    try:
        return json.loads(out)
    except ValueError:
        raise AssertionError(f"{process.returncode}: {out} {said[-800:]}") from None


def collects_what_is_there(ask):
    """os-collect-config: metadata posted before it comes"""
    ask("message_post", queue_name="s-config", messages=[{"body": {"role": "compute"}, "ttl": 300}])
    same(collected(collector("alice", "s-config")), {"zaqar": {"role": "compute"}})


def collects_what_comes(ask):
    """os-collect-config: metadata posted while it waits"""
    process = collector("alice", "s-wait")
    until = time.monotonic() + SECONDS
    # A second later it has asked for what was there, too, and takes the next frame for its message.
    while not any(each["age"] for each in ask("subscription_list", queue_name="s-wait")[1]["subscriptions"]):
        if process.poll() is not None or time.monotonic() > until:
            raise AssertionError(f"it does not subscribe: {collected(process)}")
        time.sleep(0.05)
    ask("message_post", queue_name="s-wait", messages=[{"body": {"role": "storage"}, "ttl": 300}])
    same(collected(process), {"zaqar": {"role": "storage"}})


TESTS = (queues, messages, claims, pushes, mistakes, strangers, collects_what_is_there, collects_what_comes)


def main():
    result = {}
    for test in TESTS:
        try:
            with Client("alice") as ask:
                test(ask)
            result[f"sockets: {test.__doc__}"] = ["pass", ""]
        except Exception as error:
            result[f"sockets: {test.__doc__}"] = ["fail", f"{type(error).__name__}: {error}"]
    pathlib.Path(sys.argv[1]).write_text(json.dumps(result))


if __name__ == "__main__":
    main()
