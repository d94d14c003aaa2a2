"""The tools' own check of what they speak over WebSocket: frames and MessagePack."""

import unittest

from context import message_pack, websocket_client

PARTS = [
    (b"\x83\xa1a\x01\xa1b\x92\xc3\xc0\xa1c\xd9\x03\xce\xa9!", {"a": 1, "b": [True, None], "c": "Ω!"}),
    (b"\x81\xa6status\xcc\xc8", {"status": 200}),
    (b"\x94\xff\xd0\x80\xcd\x01\x90\xcb?\xf8\x00\x00\x00\x00\x00\x00", [-1, -128, 400, 1.5]),
    (b"\xde\x00\x01\xa1k\xc4\x02\x00\xff", {"k": b"\x00\xff"}),
    (b"\xdc\x00\x02\xd2\xff\xff\xff\xfe\xcf\x00\x00\x00\x01\x00\x00\x00\x00", [-2, 1 << 32]),
]


class MessagePackTest(unittest.TestCase):
    def test_values_are_read(self):
        for data, value in PARTS:
            with self.subTest(value=value):
                self.assertEqual(message_pack.unpacked(data), value)

    def test_what_is_cut_off_or_too_long_is_refused(self):
        for data, _ in PARTS:
            with self.subTest(data=data), self.assertRaises((ValueError, IndexError, message_pack.struct.error)):
                message_pack.unpacked(data[:-1])
            with self.subTest(data=data), self.assertRaises(ValueError):
                message_pack.unpacked(data + b"\x00")


class FrameTest(unittest.TestCase):
    def test_the_mask_is_laid_over_the_payload(self):
        # The example of RFC 6455, 5.7.
        self.assertEqual(websocket_client.masked(b"Hello", b"\x37\xfa\x21\x3d"), b"\x7f\x9f\x4d\x51\x58")
        self.assertEqual(websocket_client.masked(b"", b"\x01\x02\x03\x04"), b"")

    def test_a_head_says_how_long_the_payload_is(self):
        frame = websocket_client.Connection.frame
        self.assertEqual(frame(1, b"Hello", mask=False), b"\x81\x05Hello")
        self.assertEqual(frame(2, bytes(256), mask=False)[:4], b"\x82\x7e\x01\x00")
        self.assertEqual(frame(2, bytes(65536), final=False, mask=False)[:10], b"\x02\x7f\0\0\0\0\0\1\0\0")
        self.assertEqual(frame(9, b"", reserved=4)[:2], b"\xc9\x80")


if __name__ == "__main__":
    unittest.main()
