"""A small WebSocket client (RFC 6455) over a blocking socket, for tests: whole messages, and frames of any kind.

Nothing here protects the caller from sending what the protocol forbids; tests want to do just that.
"""

import base64
import hashlib
import http.client
import io
import os
import socket
import struct
import urllib.parse

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
TIMEOUT_SECONDS = 30
ACCEPT_SALT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Closed(Exception):
    """The peer has ended the connection; `code` is None where no close frame or none with a code came."""

    def __init__(self, code=None, reason=""):
        super().__init__(f"closed with {code} {reason!r}")
        self.code, self.reason = code, reason


class Refused(Exception):
    """The handshake was answered with another status than 101."""

    def __init__(self, status, headers, body):
        super().__init__(f"the handshake was answered with {status}: {body[:200]!r}")
        self.status, self.headers, self.body = status, headers, body


def masked(payload, key):
    """The payload with the four bytes of the key laid over it, again and again."""
    if not payload:
        return b""
    keys = (key * (len(payload) // 4 + 1))[: len(payload)]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(keys, "big")
    return mixed.to_bytes(len(payload), "big")


class _Recorded(io.RawIOBase):
    """What http.client takes for a socket: the head of an answer that was read already."""

    def __init__(self, data):
        super().__init__()
        self.data = io.BytesIO(data)

    def makefile(self, *_):
        return self.data


class Connection:
    """An open connection to ws://host:port/path."""

    def __init__(self, url, headers=(), timeout=TIMEOUT_SECONDS):
        parts = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unread = bytearray()
        try:
            self._shake_hands(parts, headers)
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _shake_hands(self, parts, headers):
        key = base64.b64encode(os.urandom(16))
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        given = {"Host": parts.netloc, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        given |= {"Sec-WebSocket-Key": key.decode(), **dict(headers)}
        lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items() if value is not None)]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        while b"\r\n\r\n" not in self._unread:
            self._read_more()
        head, self._unread = self._unread.split(b"\r\n\r\n", 1)
        answer = http.client.HTTPResponse(_Recorded(bytes(head) + b"\r\n\r\n"))
        answer.begin()
        self.answer_headers = {name.lower(): value for name, value in answer.getheaders()}
        if answer.status != 101:
            length = int(self.answer_headers.get("content-length", 0))
            while len(self._unread) < length:
                self._read_more()
            raise Refused(answer.status, self.answer_headers, bytes(self._unread))
        wanted = base64.b64encode(hashlib.sha1(key + ACCEPT_SALT).digest()).decode()
        if self.answer_headers.get("sec-websocket-accept") != wanted:
            raise Refused(answer.status, self.answer_headers, b"a wrong Sec-WebSocket-Accept")

    def _read_more(self):
        found = self.socket.recv(1 << 16)
        if not found:
            raise Closed
        self._unread += found

    def _take(self, count):
        while len(self._unread) < count:
            self._read_more()
        taken = bytes(self._unread[:count])
        del self._unread[:count]
        return taken

    def send_frame(self, opcode, payload=b"", *, final=True, reserved=0, mask=True):
        """Sends one frame; `reserved` holds the three reserved bits."""
        self.socket.sendall(self.frame(opcode, payload, final=final, reserved=reserved, mask=mask))

    @staticmethod
    def frame(opcode, payload=b"", *, final=True, reserved=0, mask=True):
        """The bytes of one frame."""
        length, flag = len(payload), 0x80 if mask else 0
        head = bytes([(0x80 if final else 0) | reserved << 4 | opcode])
        if length < 126:
            head += bytes([flag | length])
        elif length < 1 << 16:
            head += struct.pack("!BH", flag | 126, length)
        else:
            head += struct.pack("!BQ", flag | 127, length)
        if not mask:
            return head + payload
        key = os.urandom(4)
        return head + key + masked(payload, key)

    def send(self, message):
        """Sends a message: str as text, bytes as binary."""
        if isinstance(message, str):
            self.send_frame(TEXT, message.encode())
        else:
            self.send_frame(BINARY, message)

    def receive_frame(self):
        """(final, opcode, payload) of the next frame, of whatever kind."""
        first, second = self._take(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self._take(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._take(8))
        key = self._take(4) if second & 0x80 else None
        payload = self._take(length)
        return bool(first & 0x80), first & 0x0F, masked(payload, key) if key else payload

    def receive(self, timeout=None):
        """The next message: str of text, bytes of binary. Answers pings; raises Closed when the peer closes."""
        if timeout is not None:
            self.socket.settimeout(timeout)
        parts, kind = [], None
        while True:
            final, opcode, payload = self.receive_frame()
            if opcode == PING:
                self.send_frame(PONG, payload)
            elif opcode == CLOSE:
                raise Closed(*((struct.unpack("!H", payload[:2])[0], payload[2:].decode()) if payload else ()))
            elif opcode != PONG:
                kind = kind if opcode == CONTINUATION else opcode
                parts.append(payload)
                if final:
                    message = b"".join(parts)
                    return message.decode() if kind == TEXT else message

    def close(self, code=1000):
        """Says goodbye if that is still possible, and ends the connection."""
        try:
            self.send_frame(CLOSE, struct.pack("!H", code))
        except OSError:
            pass  # it is gone already
        self.socket.close()
