#!/usr/bin/env python3
"""Makes a user for a memcached that wants a login: `sasl_user.py FOLDER USER PASSWORD`.

Writes the database of users and memcached's configuration of it into the folder, which is then its SASL_CONF_PATH.
With the library that memcached itself uses, so that no further program is needed.
"""

import ctypes
import pathlib
import sys

GET_OPTION = 1
OK, FAIL = 0, -1
CREATE = 1
GetOption = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.POINTER(ctypes.c_char_p),
    ctypes.POINTER(ctypes.c_uint),
)


class Callback(ctypes.Structure):
    _fields_ = [("id", ctypes.c_ulong), ("function", ctypes.c_void_p), ("context", ctypes.c_void_p)]


def make_user(library, options, user, password):
    @GetOption
    def option(_context, _plugin, name, value, length):
        if name not in options:
            return FAIL
        value[0] = options[name]
        if length:
            length[0] = len(options[name])
        return OK

    callbacks = (Callback * 2)(Callback(GET_OPTION, ctypes.cast(option, ctypes.c_void_p), None), Callback(0, None, None))
    connection = ctypes.c_void_p()
    steps = (
        lambda: library.sasl_server_init(callbacks, b"memcached"),
        lambda: library.sasl_server_new(b"memcached", None, None, None, None, None, 0, ctypes.byref(connection)),
        lambda: library.sasl_setpass(connection, user, password, len(password), None, 0, CREATE),
    )
    for step in steps:
        if (status := step()) != OK:
            sys.exit(f"SASL refused with status {status}")


def main():
    folder, user, password = pathlib.Path(sys.argv[1]), sys.argv[2].encode(), sys.argv[3].encode()
    users = folder / "users"
    lines = ("mech_list: plain", "pwcheck_method: auxprop", "auxprop_plugin: sasldb", f"sasldb_path: {users}")
    (folder / "memcached.conf").write_text("\n".join(lines) + "\n")
    make_user(ctypes.CDLL("libsasl2.so.2"), {b"sasldb_path": str(users).encode(), b"auxprop_plugin": b"sasldb"}, user, password)


if __name__ == "__main__":
    main()
