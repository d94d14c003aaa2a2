"""Every method of openstacksdk's proxy for messages, as one user of a cloud.

`sdk.py RESULT` writes {test: [outcome, why]} into the file RESULT; where the cloud is stands in the environment.
"""

import contextlib
import json
import pathlib
import sys
import uuid

import openstack
from openstack import exceptions
from openstack.message.v2 import _proxy

CLIENT_ID = str(uuid.uuid4())
# Of every service's proxy: they wait for a `status`, which nothing here has.
NOT_OF_MESSAGES = {"wait_for_status", "wait_for_delete"}


def same(found, wanted):
    """Fails unless the two are equal."""
    if found != wanted:
        raise AssertionError(f"{found!r} is not {wanted!r}")


@contextlib.contextmanager
def raises(kind):
    """Fails unless the block raises it."""
    try:
        yield
    except kind:
        return
    raise AssertionError(f"no {kind.__name__}")


def queue(message):
    """create_queue, get_queue, delete_queue"""
    made = message.create_queue(name="sdk", description="of the SDK", default_message_ttl=400)
    same(made.name, "sdk")
    got = message.get_queue("sdk")
    same((got.description, got.default_message_ttl), ("of the SDK", 400))
    message.delete_queue("sdk")
    # To this service a queue that is not there is one without metadata, and to remove it no error.
    message.delete_queue("sdk", ignore_missing=False)
    same(message.get_queue("sdk").description, None)


def queues(message):
    """queues, page by page"""
    names = [f"page-{number}" for number in range(5)]
    for name in names:
        message.create_queue(name=name)
    same([each.name for each in message.queues(limit=2)], names)
    same([each.name for each in message.queues(marker="page-2")], names[3:])
    for name in names:
        message.delete_queue(name)


def messages(message):
    """post_message, messages, get_message, delete_message"""
    message.create_queue(name="sdk")
    posted = message.post_message("sdk", [{"body": {"number": number}, "ttl": 300} for number in range(5)])
    same(len(posted), 5)
    same([each.body["number"] for each in message.messages("sdk")], list(range(5)))
    same([each.body["number"] for each in message.messages("sdk", limit=2)], list(range(5)))
    first = next(message.messages("sdk", echo=True, include_claimed=True))
    got = message.get_message("sdk", first.id)
    same((got.body, got.ttl), ({"number": 0}, 300))
    message.delete_message("sdk", first.id)
    with raises(exceptions.NotFoundException):
        message.get_message("sdk", first.id)
    message.delete_queue("sdk")


def create_claim(message):
    """create_claim"""
    message.create_queue(name="sdk")
    message.post_message("sdk", [{"body": 0, "ttl": 300}])
    try:
        same([each["body"] for each in message.create_claim("sdk", ttl=300, grace=100).messages], [0])
    finally:
        message.delete_queue("sdk")


def claims(message):
    """get_claim, update_claim, delete_claim, delete_message of a claimed one"""
    message.create_queue(name="sdk")
    message.post_message("sdk", [{"body": number, "ttl": 300} for number in range(3)])
    made = message.post("/queues/sdk/claims?limit=2", json={"ttl": 300, "grace": 100}, headers={"Client-ID": CLIENT_ID})
    claim = made.headers["Location"].split("/")[-1]
    claimed = message.get_claim("sdk", claim)
    same([each["body"] for each in claimed.messages], [0, 1])
    message.update_claim("sdk", claim, ttl=600, grace=90)
    same(message.get_claim("sdk", claim).ttl, 600)
    first = claimed.messages[0]["href"].split("/")[-1].split("?")[0]
    with raises(exceptions.ForbiddenException):
        message.delete_message("sdk", first, ignore_missing=False)
    message.delete_message("sdk", first, claim=claim)
    message.delete_claim("sdk", claim)
    with raises(exceptions.NotFoundException):
        message.get_claim("sdk", claim)
    same([each.body for each in message.messages("sdk")], [1, 2])
    message.delete_queue("sdk")


def nothing_to_claim(message):
    """create_claim of an empty queue"""
    message.create_queue(name="sdk")
    same(message.create_claim("sdk", ttl=300, grace=100).messages, None)
    message.delete_queue("sdk")


def create_subscription(message):
    """create_subscription"""
    made = message.create_subscription("sdk-s", subscriber="http://127.0.0.1:9/", ttl=600, options={"a": 1})
    same(made.subscriber, "http://127.0.0.1:9/")


def subscriptions(message):
    """subscriptions"""
    same([each.ttl for each in message.subscriptions("sdk-s")], [600])


def get_subscription(message):
    """get_subscription"""
    made = message.create_subscription("sdk-s", subscriber="http://127.0.0.1:10/", ttl=600)
    same(message.get_subscription("sdk-s", made.subscription_id).subscriber, "http://127.0.0.1:10/")


def delete_subscription(message):
    """delete_subscription"""
    made = message.create_subscription("sdk-s", subscriber="http://127.0.0.1:11/", ttl=600)
    message.delete_subscription("sdk-s", made.subscription_id, ignore_missing=False)
    with raises(exceptions.NotFoundException):
        message.get_subscription("sdk-s", made.subscription_id)


TESTS = (
    queue,
    queues,
    messages,
    create_claim,
    claims,
    nothing_to_claim,
    create_subscription,
    subscriptions,
    get_subscription,
    delete_subscription,
)


def main():
    result = {}
    for test in TESTS:
        try:
            # Logs in, and has connections of its own.
            test(openstack.connect(cloud="bob").message)
            result[f"sdk: {test.__doc__}"] = ["pass", ""]
        except Exception as error:
            result[f"sdk: {test.__doc__}"] = ["fail", f"{type(error).__name__}: {error}"]
    public = {name for name, method in vars(_proxy.Proxy).items() if callable(method) and name[0] != "_"}
    text = pathlib.Path(__file__).read_text()
    for name in sorted(public - NOT_OF_MESSAGES):
        if f"message.{name}(" not in text:
            result[f"sdk: {name}"] = ["fail", "no test of it here"]
    pathlib.Path(sys.argv[1]).write_text(json.dumps(result))


if __name__ == "__main__":
    main()
