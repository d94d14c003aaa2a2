"""Writes checksums.txt: JSON texts, each behind the MD5 of what Python's json.dumps makes of it."""

import hashlib
import json
import random
import struct

random.seed(20)
texts = r'''
1 0 -0 -1 9223372036854775807 -9223372036854775808 1.0 -1.0 0.0 -0.0 -0e5 0e0 1E5 1e5 1e15 1e16 1e17 1e22 1e23 1.5e22
1e-4 1e-5 1.5e-5 1e-7 1.25e-10 123456789.123456789 0.1 0.30000000000000004 1e308 1e309 1e400 -1e400 1e-400 5e-324 2.5e-324
2.4703282292062327208e-324 9007199254740993.0 1234567890123456789.0 123456789012345680.0 9999999999999998.0 99999999999999990.0
1.7976931348623157e308 1.7976931348623159e308 2.2250738585072011e-308 100.0 1.10 3.14159 true false [] {} [[]] [{}] {"":{}}
{"a":1} {"b":1,"a":2} {"b":[1,2.50,true,null],"a":{"c":"d"}} [1,[2,[3,[4]]]] "" "a" "/" "\/" "\"" "\\" "\b\f\n\r\t" "\u0000" "\u001f"
"\u007f" "\u0080" "\u00e9" "\u20ac" "\ud83d\ude00" "\uD83D\uDE00" "é" "€" "😀" "日本語" "a😀b" {"ключ":"значение"} {"\u0061":1} "\uffff"
"\u2028" "<>&'" "~" {"a":{"b":{"c":[1e22,{"d":-0}]}}}
'''.split()
texts += ['{"a": 1, "b": [ ], "a": {"a": 1, "\\u0061": 2}}', ' [ 1 ,\t{ } ]']
texts += ['"a b"', '" "', json.dumps({"message body": ["x y", "\x7f", "\x1b[0m"]}, separators=(",", ":"))]
texts += [repr(struct.unpack("<d", random.randbytes(8))[0]) for _ in range(150)]
texts += [f"{random.randint(-10**9, 10**9)}e{random.randint(-30, 30)}" for _ in range(60)]
texts += [f"{random.random():.{random.randint(1, 20)}f}" for _ in range(30)]


def value(depth):
    kind = random.randrange(9 if depth else 6)
    if kind > 6:
        return {string(): value(depth - 1) for _ in range(random.randrange(5))}
    if kind == 6:
        return [value(depth - 1) for _ in range(random.randrange(5))]
    return [None, True, random.randint(-2**63, 2**63 - 1), random.uniform(-1e6, 1e6), string(), string()][kind]


def string():
    blocks = [(0, 0x20), (0x20, 0x7f), (0x20, 0x7f), (0x7f, 0x800), (0x800, 0xd800), (0xe000, 0x10000), (0x10000, 0x110000)]
    return "".join(chr(random.randrange(*random.choice(blocks))) for _ in range(random.randrange(8)))


for _ in range(80):
    texts.append(json.dumps(value(4), separators=(",", ":"), ensure_ascii=random.random() < 0.5))

with open("checksums.txt", "w", encoding="utf-8", newline="\n") as out:
    for text in texts:
        if text not in ("nan", "inf", "-inf", "null"):
            print(hashlib.md5(json.dumps(json.loads(text)).encode()).hexdigest(), text, file=out)
