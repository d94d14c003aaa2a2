"""Reads MessagePack, as far as answers of the service go: no extension types."""

import struct

_FIXED = {0xC0: None, 0xC2: False, 0xC3: True}
_NUMBERS = {
    0xCA: "!f", 0xCB: "!d", 0xCC: "!B", 0xCD: "!H", 0xCE: "!I", 0xCF: "!Q", 0xD0: "!b", 0xD1: "!h", 0xD2: "!i", 0xD3: "!q",
}  # fmt: skip
# By first byte: the form of the length that follows, and what is so long.
_LENGTHS = {
    0xC4: ("!B", bytes), 0xC5: ("!H", bytes), 0xC6: ("!I", bytes),
    0xD9: ("!B", str), 0xDA: ("!H", str), 0xDB: ("!I", str),
    0xDC: ("!H", list), 0xDD: ("!I", list), 0xDE: ("!H", dict), 0xDF: ("!I", dict),
}  # fmt: skip


def unpacked(data):
    """The one value that the bytes hold."""
    value, end = _value(data, 0)
    if end != len(data):
        raise ValueError(f"{len(data) - end} bytes too many")
    return value


def _value(data, at):
    first, at = data[at], at + 1
    if first < 0x80:
        return first, at
    if first >= 0xE0:
        return first - 0x100, at
    if first < 0xC0:
        kind, mask = (dict, 0x0F) if first < 0x90 else (list, 0x0F) if first < 0xA0 else (str, 0x1F)
        return _long(data, at, kind, first & mask)
    if first in _FIXED:
        return _FIXED[first], at
    if first in _NUMBERS:
        (number,) = struct.unpack_from(_NUMBERS[first], data, at)
        return number, at + struct.calcsize(_NUMBERS[first])
    if first not in _LENGTHS:
        raise ValueError(f"a value of the kind 0x{first:02x}")
    form, kind = _LENGTHS[first]
    (length,) = struct.unpack_from(form, data, at)
    return _long(data, at + struct.calcsize(form), kind, length)


def _long(data, at, kind, length):
    if kind in (str, bytes):
        part = bytes(data[at : at + length])
        if len(part) != length:
            raise ValueError("the bytes end too early")
        return (part.decode() if kind is str else part), at + length
    items = []
    for _ in range(length * (2 if kind is dict else 1)):
        item, at = _value(data, at)
        items.append(item)
    return (dict(zip(items[::2], items[1::2])) if kind is dict else items), at
