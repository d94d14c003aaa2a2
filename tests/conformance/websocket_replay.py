"""The part of `transcript` that replays what went over a WebSocket connection of the Python service.

recorded/websocket.jsonl holds it in order, a line each: what was sent (of a binary frame its bytes as Latin-1) and the
answer, or a frame that was pushed. recorded/websocket-exceptions.toml holds the answers in which ours differs on
purpose. Compared are all members of a frame and its kind, text or binary.
"""

import collections
import json
import pathlib
import random
import tomllib

import matching
import message_pack
import websocket_client

RECORDED = pathlib.Path(__file__).resolve().parent / "recorded"
RECORDING = RECORDED / "websocket.jsonl"
EXCEPTIONS = RECORDED / "websocket-exceptions.toml"
PROJECT, NOTIFICATIONS = "wsproj-1795189708", "http://127.0.0.1:9001"
# A frame that is to come after the one that was read last may take so long.
PUSH_SECONDS = 10


class Exchange:
    """One line of the recording."""

    def __init__(self, line):
        self.name, self.sent, self.binary = line["name"], line.get("sent"), line.get("binary", False)
        # The frame that is expected: the answer to what is sent, or where nothing is, one that is pushed.
        self.wanted = line["answer"] if self.sent is not None else line["pushed"]
        self.reconnect = line.get("reconnect", False)

    def expect_instead(self, exception):
        """Takes over what an entry of the exceptions says."""
        matching.alter(self.wanted, exception)


class Replay:
    """A run against the server at a WebSocket URL; use it as a context.

    `notifications` is the URL at which the Python service takes what it pushes, and shows it to everybody.
    """

    def __init__(self, url, notifications=None):
        self.url = url
        # As long as the recorded one: the length is part of a binary frame.
        project = f"wsproj-{random.randrange(10**10):010}"
        self.names = matching.Names({PROJECT: project}, {NOTIFICATIONS: notifications} if notifications else {})
        self.pushed = collections.deque()
        self.connection = None

    def __enter__(self):
        self.connection = websocket_client.Connection(self.url)
        return self

    def __exit__(self, *_):
        self.connection.close()

    def differences(self, exchange):
        """Sends what was sent, if anything; gives what differs in the frame that comes, a line each."""
        if exchange.reconnect:
            self.connection.close()
            self.connection = websocket_client.Connection(self.url)
        if exchange.sent is None:
            frame = self.pushed.popleft() if self.pushed else self._receive(PUSH_SECONDS)
        else:
            frame = self._exchange(exchange)
        binary, document = frame
        lines = [] if binary == exchange.binary else [f"a binary frame: {exchange.binary} wanted, {binary} found"]
        lines += matching.differences(exchange.wanted, document, self.names)
        return lines and [*lines, f"the whole frame: {json.dumps(document)[:900]}"]

    def _exchange(self, exchange):
        message = self.names.real(exchange.sent)
        for recorded, real in self.names.projects.items():
            message = message.replace(recorded, real)
        self.connection.send(message.encode("latin-1") if exchange.binary else message)
        while True:
            frame = self._receive(websocket_client.TIMEOUT_SECONDS)
            if "request" in frame[1]:
                return frame
            self.pushed.append(frame)

    def _receive(self, seconds):
        """(whether it is binary, the document in it with recorded names) of the next message."""
        message = self.connection.receive(seconds)
        binary = isinstance(message, bytes)
        text = json.dumps(message_pack.unpacked(message)) if binary else message
        return binary, json.loads(self.names.recorded(text))


def exchanges(store, own_answers):
    """The exchanges to replay, and the number of those with an answer of our own."""
    entries = tomllib.loads(EXCEPTIONS.read_text()).get("exception", []) if own_answers else []
    exceptions = {entry["exchange"]: entry for entry in entries}
    chosen = []
    for line in RECORDING.open():
        exchange = Exchange(json.loads(line))
        exception = exceptions.pop(exchange.name, None)
        if exception and store in exception.get("stores", [store]):
            exchange.expect_instead(exception)
        chosen.append(exchange)
    if exceptions:
        raise ValueError(f"{EXCEPTIONS.name} names what is not in the recording: {list(exceptions)}")
    return chosen, len(entries)


def replay(url, chosen, notifications=None):
    """{name of an exchange: what differs, a line each} of those that differ."""
    failed = {}
    with Replay(url, notifications) as run:
        for exchange in chosen:
            try:
                lines = run.differences(exchange)
            except (OSError, ValueError, websocket_client.Closed) as error:
                lines = [f"{type(error).__name__}: {error}"]
                run.connection = websocket_client.Connection(url)
            if lines:
                failed[exchange.name] = lines
        if run.pushed:
            failed["the end"] = [f"{len(run.pushed)} frames were pushed that nobody expects"]
    return failed
