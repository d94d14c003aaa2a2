"""Every command `openstack messaging …`, with every option that it has, as users of a cloud give them.

`command.py RESULT` writes {test: [outcome, why]} into the file RESULT; where the cloud is stands in the environment. One
process loads the client and makes a child of itself for every command, which is what the shell would do, without the
two seconds of loading.
"""

import contextlib
import importlib.metadata
import json
import os
import pathlib
import re
import shlex
import sys
import tempfile
import urllib.error
import urllib.request
import uuid

from openstackclient import shell

GROUP = "openstack.messaging.v2"
CLIENT_ID = str(uuid.uuid4())
# In the environment of the commands; those that make no claim need it or --client-id.
OTHER_CLIENT_ID = str(uuid.uuid4())


class Failed(AssertionError):
    """A command did not do what it should."""


class Commands:
    """Runs commands and keeps the outcome of each."""

    def __init__(self):
        self.known = {entry.name: entry for entry in importlib.metadata.entry_points(group=GROUP)}
        self.given = {name: set() for name in self.known}
        self.result = {}

    def run(self, user, line, check=None, name=None):
        """Runs `openstack messaging LINE` as that user; gives what it printed as a document, None without any.

        The outcome is a pass if it ends well and `check`, given the document, does not say False; else the document
        is None too.
        """
        words = shlex.split(line)
        command = self._command(words)
        self.given[command].update(word.split("=")[0] for word in words if word.startswith("--"))
        name = name or re.sub(r"[0-9a-f-]{24,}", "ID", f"messaging {line}")
        try:
            code, out, err = self._process(user, ["messaging", *words], self._prints_document(command))
            if code:
                raise Failed(f"ended with {code}: {err.strip()[-300:]}")
            document = json.loads(out) if out.strip() else None
            if check is not None and check(document) is False:
                raise Failed(f"printed {out.strip()[:300]}")
        except (Failed, AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
            self.result[name] = ["fail", f"{type(error).__name__}: {error}"]
            return None
        self.result[name] = ["pass", ""]
        return document

    def refused(self, user, line, why):
        """Runs a command that must end badly and say so, with words that match `why`."""
        code, _, err = self._process(user, ["messaging", *shlex.split(line)], False)
        good = code != 0 and re.search(why, err)
        self.result[f"messaging {line} as {user} is refused"] = (
            ["pass", ""] if good else ["fail", f"ended with {code}: {err.strip()[-300:]}"]
        )

    def _command(self, words):
        for count in range(min(4, len(words)), 0, -1):
            name = "_".join(["messaging", *words[:count]])
            if name in self.known:
                return name
        raise KeyError(f"no such command: {words}")

    def _prints_document(self, command):
        """Whether the command has `-f json`."""
        return any("-f" in action.option_strings for action in self._parser(command)._actions)

    def _parser(self, command):
        return self.known[command].load()(None, None).get_parser("x")

    def unused(self):
        """The commands and options that were not given so far, as they would be typed."""
        for command, given in self.given.items():
            name = command.replace("_", " ")
            own = self.known[command].load()
            parser, plain = self._parser(command), super(own, own(None, None)).get_parser("x")
            inherited = {option for action in plain._actions for option in action.option_strings}
            options = {action.option_strings[-1] for action in parser._actions if action.option_strings}
            missing = sorted(options - inherited - given)
            if missing or not (given or any(test.startswith(name) for test in self.result)):
                yield f"{name} {' '.join(missing)}".strip()

    def _process(self, user, words, document):
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            pid = os.fork()
            if pid == 0:
                self._child(["--os-cloud", user, *words, *(["-f", "json"] if document else [])], out, err)
            _, status = os.waitpid(pid, 0)
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode())
            return os.waitstatus_to_exitcode(status), *texts

    @staticmethod
    def _child(argv, out, err):
        """Becomes the command; does not return."""
        code = 70
        try:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
            code = shell.main(argv)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)


def queues(run):
    """Queues and their metadata."""
    run("alice", "queue create one", lambda made: made == {"Name": "one"})
    run("alice", "queue create two")
    run("alice", "queue list", lambda got: [queue["Name"] for queue in got] == ["one", "two"])
    run("alice", "queue list --marker one --limit 1", lambda page: [queue["Name"] for queue in page] == ["two"])
    run("alice", "queue list --with_count --limit 1", lambda page: [queue["Name"] for queue in page] == ["one"])
    run("alice", """queue set metadata one '{"owner": "alice", "_default_message_ttl": 500}'""")
    run("alice", "queue get metadata one", lambda got: (
        got["Metadata"]["owner"] == "alice" and got["Metadata"]["_default_message_ttl"] == 500
    ))  # fmt: skip
    run("alice", "queue list --detailed", lambda got: (
        got[0]["Metadata_Dict"]["owner"] == "alice" and got[0]["Href"].endswith("/queues/one")
    ))  # fmt: skip
    run("alice", """queue set metadata one '{}'""", name="messaging queue set metadata one '{}' takes all away")
    run("alice", "queue get metadata one", lambda got: "owner" not in got["Metadata"], name="messaging queue get metadata again")
    run("bob", "queue list", lambda got: got == [], name="messaging queue list of another project")


def messages(run):
    """Posting, listing and counting, in a queue that can delay."""
    run("alice", """queue set metadata one '{"_default_message_delay": 1}'""")
    bodies = [{"body": {"number": number}, "ttl": 300, "delay": 0} for number in range(3)]
    delayed = [{"body": {"number": 3}, "ttl": 300, "delay": 200}]
    run("alice", f"message post one '{json.dumps(bodies)}' --client-id {CLIENT_ID}", name="messaging message post")
    run("alice", f"message post one '{json.dumps(delayed)}' --client-id {CLIENT_ID}", name="messaging message post, delayed")
    run("alice", "message list one", lambda got: numbers(got) == [0, 1, 2])
    run("alice", f"message list one --client-id {CLIENT_ID}", lambda got: got == [], name="messaging message list of one's own")
    whole = run("alice", f"message list one --client-id {CLIENT_ID} --echo", lambda got: numbers(got) == [0, 1, 2])
    run("alice", "message list one --limit 2", lambda got: numbers(got) == [0, 1])
    run("alice", "message list one --include-delayed", lambda got: numbers(got) == [0, 1, 2, 3])
    run("alice", f"message list one --message-ids {whole[1]['ID']}", lambda got: numbers(got) == [1])
    run("alice", "queue stats one", lambda got: got["Stats"]["messages"]["total"] == 4)


def numbers(listed):
    """What tells the messages of a listing apart; that of a claim calls bodies otherwise."""
    return [each.get("Body", each.get("Messages", each.get("Message")))["number"] for each in listed]


def claims(run):
    """Claims, of one message of three."""
    claimed = run("alice", "claim create one --ttl 300 --grace 100 --limit 1", lambda got: numbers(got) == [0])
    claim = claimed[0]["Claim_ID"]
    run("alice", f"claim query one {claim}", lambda got: numbers(got) == [0])
    run("alice", "message list one", lambda got: numbers(got) == [1, 2], name="messaging message list without the claimed")
    run("alice", "message list one --include-claimed", lambda got: numbers(got) == [0, 1, 2])
    run("alice", f"claim renew one {claim} --ttl 400 --grace 80", lambda got: numbers(got) == [0] and got[0]["TTL"] == 480)
    run("alice", f"claim release one {claim}")
    run("alice", "message list one", lambda got: numbers(got) == [0, 1, 2], name="messaging message list after release")


def signed_urls(run):
    """A pre-signed URL, used without a token."""
    line = "queue signed url one --paths messages --ttl-seconds 600 --methods GET,POST"
    made = run("alice", line, lambda made: made["Methods"] == "GET,POST")
    headers = {"URL-Methods": made["Methods"], "URL-Paths": made["Paths"], "URL-Expires": made["Expires"]}
    headers |= {"URL-Signature": made["Signature"], "X-Project-ID": made["Project ID"], "Client-ID": CLIENT_ID}
    request = urllib.request.Request(f"{os.environ['MESSAGING_URL']}/v2/queues/one/messages?echo=true", headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        if len(json.load(answer)["messages"]) != 3:
            raise Failed("the signed URL does not show the messages")


def ends(run):
    """What takes things away."""
    run("alice", "queue purge one --resource_types messages")
    run("alice", "message list one --include-delayed", lambda got: got == [], name="messaging message list after purge")
    for name in ("one", "two"):
        run("alice", f"queue delete {name}")
    run("alice", "queue list", lambda got: got == [], name="messaging queue list after delete")


def pools(run):
    """Pools and flavors, as the operator."""
    uris = json.loads(os.environ["POOL_URIS"])
    options = """'{"max_retry_sleep": 1}'"""
    run("operator", f"pool create first {uris[0]} 10 --flavor fast --pool_options {options}", lambda made: (
        made["Name"] == "first" and made["Weight"] == 10 and made["Options"] == {"max_retry_sleep": 1}
    ), name="messaging pool create first")  # fmt: skip
    run("operator", f"pool create second {uris[1]} 10", lambda made: made["URI"] == uris[1], name="messaging pool create second")
    run("operator", "pool show first", lambda got: got["Flavor"] == "fast")
    run("operator", "pool list", lambda got: [pool["Name"] for pool in got] == ["first", "second"])
    run("operator", "pool list --marker first --limit 1", lambda page: [pool["Name"] for pool in page] == ["second"])
    run("operator", "pool list --detailed", lambda got: got[0]["Options"] == {"max_retry_sleep": 1})
    change = f"pool update second --pool_uri {uris[1]} --pool_weight 20 --flavor fast --pool_options {options}"
    run("operator", change, lambda got: got["Weight"] == 20 and got["Flavor"] == "fast", name="messaging pool update")


def flavors(run):
    """Flavors of the two pools."""
    run("operator", "flavor create fast --pool_list first", lambda made: made["Name"] == "fast")
    run("operator", "flavor show fast", lambda got: got["Name"] == "fast" and got["Pool list"] is not None)
    run("operator", "flavor list", lambda got: [flavor["Name"] for flavor in got] == ["fast"])
    run("operator", "flavor list --marker a --limit 5 --detailed", lambda got: got[0]["Capabilities"] is not None)
    # The client reads the value twice.
    line = """flavor update fast --pool_list second --capabilities '"[\\"FIFO\\"]"'"""
    run("operator", line, lambda got: got["Name"] == "fast")
    run("operator", "health", lambda got: got["catalog_reachable"] and got["first"]["storage_reachable"])


def end_of_pools(run):
    """What takes pools away."""
    run("operator", "flavor delete fast")
    for name in ("first", "second"):
        run("operator", f"pool delete {name}")


def service(run):
    """The service itself."""
    run("alice", "ping", lambda got: got == {"Pingable": True})
    run("alice", "homedoc", lambda got: "rel/queues" in got["resources"])


def subscriptions(run):
    """Subscriptions of a queue."""
    made = run("carol", """subscription create s http://127.0.0.1:9/ 300 --options '{"a": 1}'""", lambda made: made["TTL"] == 300)
    known = made["ID"] if made else "0" * 24
    run("carol", f"subscription show s {known}", lambda got: got["Options"] == {"a": 1})
    run("carol", "subscription list s --marker 0 --limit 5", lambda got: [one["ID"] for one in got] == [known])
    change = f"""subscription update s {known} --subscriber http://127.0.0.1:10/ --ttl 400 --options '{{"b": 2}}'"""
    run("carol", change)
    run("carol", f"subscription show s {known}", lambda got: got["TTL"] == 400, name="messaging subscription show, changed")
    run("carol", f"subscription delete s {known}")


def main():
    os.environ["OS_MESSAGE_CLIENT_ID"] = OTHER_CLIENT_ID
    commands = Commands()
    chapters = (queues, messages, claims, signed_urls, ends, pools, flavors, end_of_pools, service, subscriptions)
    for chapter in chapters:
        try:
            chapter(commands.run)
        except (Failed, TypeError, KeyError, urllib.error.URLError) as error:
            # The others of it need what this one would have made.
            commands.result[f"messaging: chapter {chapter.__name__}"] = ["fail", f"broke off: {error}"]
    commands.refused("alice", "pool list", "403|[Ff]orbidden")
    commands.refused("alice", "health", "403|[Ff]orbidden")
    commands.refused("bob", "claim query nothing 01234567", "404|[Nn]ot found|NotFound|does not exist")
    for unused in commands.unused():
        commands.result[f"{unused} (not reached)"] = ["fail", "not reached, or not in this list"]
    pathlib.Path(sys.argv[1]).write_text(json.dumps(commands.result))


if __name__ == "__main__":
    main()
