"""The part of the plugin `over_http` that stands in for the package's WebSocket server.

The package's tests hand frames to a protocol object in their own process, and look at what it is about to send. Here
that object sends each frame over a real connection, and hands on the frame that comes back.
"""

import json
import unittest
from unittest import mock

import msgpack

import websocket_client


class RemoteProtocol:
    """Stands for the package's protocol object of one connection; the suffix keeps projects of tests apart."""

    def __init__(self, url, suffix, sockets):
        self.suffix = suffix
        self.factory = mock.MagicMock()
        self._handler = mock.MagicMock()
        self._handler.set_subscription_factory.side_effect = _looks_inside
        self._connection = websocket_client.Connection(url)
        sockets.append(self._connection)

    def onMessage(self, payload, is_binary):
        message = self._sent(payload, is_binary)
        self._connection.send(message)
        answer = self._connection.receive()
        if isinstance(answer, bytes):
            document = _changed(msgpack.unpackb(answer), self._recorded)
            self.sendMessage(msgpack.packb(document), True)
        else:
            document = _changed(json.loads(answer), self._recorded)
            self.sendMessage(json.dumps(document).encode(), False)

    def sendMessage(self, _data, _is_binary):
        """The tests put their own in its place."""

    def onClose(self, *_):
        _looks_inside()

    def _sent(self, payload, is_binary):
        try:
            document = msgpack.unpackb(payload) if is_binary else json.loads(payload)
        except Exception:  # broken on purpose: it goes out as it is
            document = None
        if isinstance(document, dict):
            if "URL-Signature" not in (document.get("headers") or {}):  # it is a signature of the project, too
                document = _changed(document, self._own)
            return msgpack.packb(document) if is_binary else json.dumps(document)
        return payload.encode() if is_binary and isinstance(payload, str) else payload

    def _own(self, key, value):
        # Empty and over-long project ids are what a test is about.
        fits = key == "X-Project-ID" and isinstance(value, str) and value and len(value + self.suffix) <= 256
        return value + self.suffix if fits else value

    def _recorded(self, _key, value):
        return value.replace(self.suffix, "") if isinstance(value, str) else value


def _changed(value, change, key=None):
    """The document with what `change` makes of each key and text in it."""
    if isinstance(value, dict):
        return {name: _changed(member, change, name) for name, member in value.items()}
    if isinstance(value, list):
        return [_changed(item, change, key) for item in value]
    return change(key, value)


def _looks_inside(*_):
    raise unittest.SkipTest("looks inside the server (subscriptions in its store)")
