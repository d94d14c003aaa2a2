"""Every method of openstacksdk's proxy for messages, as one user of a cloud.

`sdk.py RESULT` writes {test: [outcome, why]} into the file RESULT; where the cloud is stands in the environment.
"""

import contextlib
import json
import pathlib
import sys

import openstack
from openstack import exceptions
from openstack.message.v2 import _proxy

# Of every service's proxy: they wait for a `status`, which nothing here has.
NOT_OF_MESSAGES = {"wait_for_status", "wait_for_delete"}


class Proxy:
    """Hands out the methods of the proxy and notes which were asked for."""

    def __init__(self, cloud):
        self._proxy = openstack.connect(cloud=cloud).message
        self.asked = set()

    def __getattr__(self, name):
        self.asked.add(name)
        return getattr(self._proxy, name)


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
    message.delete_queue("sdk", ignore_missing=False)  # removing what is not there is no error in this service
    with raises(exceptions.NotFoundException):
        message.get_queue("sdk")


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


def claims(message):
    """create_claim, get_claim, update_claim, delete_claim, delete_message of a claimed one"""
    message.create_queue(name="sdk")
    message.post_message("sdk", [{"body": number, "ttl": 300} for number in range(3)])
    made = message.create_claim("sdk", ttl=300, grace=100, limit=2)
    same([each["body"] for each in made.messages], [0, 1])
    same([each["body"] for each in message.get_claim("sdk", made.id).messages], [0, 1])
    message.update_claim("sdk", made.id, ttl=600, grace=90)
    same(message.get_claim("sdk", made.id).ttl, 600)
    claimed = made.messages[0]["href"].split("/")[-1].split("?")[0]
    with raises(exceptions.ForbiddenException):
        message.delete_message("sdk", claimed, ignore_missing=False)
    message.delete_message("sdk", claimed, claim=made.id)
    message.delete_claim("sdk", made.id)
    with raises(exceptions.NotFoundException):
        message.get_claim("sdk", made.id)
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
    claims,
    nothing_to_claim,
    create_subscription,
    subscriptions,
    get_subscription,
    delete_subscription,
)


def main():
    proxy, result = Proxy("bob"), {}
    for test in TESTS:
        try:
            test(proxy)
            result[f"sdk: {test.__doc__}"] = ["pass", ""]
        except Exception as error:
            result[f"sdk: {test.__doc__}"] = ["fail", f"{type(error).__name__}: {error}"]
    public = {name for name, method in vars(_proxy.Proxy).items() if callable(method) and name[0] != "_"}
    for name in sorted(public - NOT_OF_MESSAGES - proxy.asked):
        result[f"sdk: {name}"] = ["fail", "no test of it here"]
    pathlib.Path(sys.argv[1]).write_text(json.dumps(result))


if __name__ == "__main__":
    main()
