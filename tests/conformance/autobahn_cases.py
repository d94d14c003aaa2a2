"""The cases of the Autobahn test suite, read from the package autobahntestsuite of PyPI.

That package is written for Python 2, which can hardly be had any more. Its cases only say what to send, what should
come back and how the connection should end, so they are read here as Latin-1, in which each byte of their texts is one
character, and a few words are exchanged. What runs them is `autobahn`.
"""

import re
import sys
import types

# Sections of per-message compression, which the service does not offer.
COMPRESSION = ("12", "13")
EXCHANGED = (
    (re.compile(r"^#.*coding[:=].*$", re.M), ""),
    (re.compile(r"^(\s*)print\b.*$", re.M), r"\1pass"),
    (re.compile(r"\bxrange\("), "range("),
    # Only descriptions use it, on texts.
    (re.compile(r"\bbinascii\.b2a_hex\("), "repr("),
    # A class may no longer come before its base.
    (re.compile(r"\(object, Case, \)"), "(Case,)"),
    # Of whole numbers.
    (re.compile(r"len\(self\.payload\) / "), "len(self.payload) // "),
)


class State:
    """What cases know of the protocol: the states of a connection and the codes of its end."""

    STATE_CLOSED, STATE_CONNECTING, STATE_CLOSING, STATE_OPEN = 0, 1, 2, 3
    MESSAGE_TYPE_TEXT, MESSAGE_TYPE_BINARY = 1, 2
    CLOSE_STATUS_CODE_NORMAL = 1000
    CLOSE_STATUS_CODE_GOING_AWAY = 1001
    CLOSE_STATUS_CODE_PROTOCOL_ERROR = 1002
    CLOSE_STATUS_CODE_INVALID_PAYLOAD = 1007


class Utf8Validator:
    """Tells whether a text, each of whose characters stands for a byte, is UTF-8."""

    def reset(self):
        """Nothing is kept from one text to the next."""

    def validate(self, text):
        """(whether it is valid, whether it ends with a whole character)"""
        try:
            text.encode("latin-1").decode("utf-8")
        except UnicodeDecodeError:
            return False, False
        return True, True


def _stand_in(name, **members):
    module = types.ModuleType(name)
    vars(module).update(members)
    sys.modules[name] = module


def _execute(name, path):
    text = path.read_bytes().decode("latin-1")
    for pattern, instead in EXCHANGED:
        text = pattern.sub(instead, text)
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(compile(text, path, "exec"), vars(module))
    return module


def _imported(text):
    return re.findall(r"^from (case\d\w*) import", text, re.M)


def load(folder):
    """[(number, class)] of all cases but those of compression, in order; `folder` is the package's."""
    _stand_in("autobahn")
    _stand_in("autobahn.websocket")
    _stand_in("autobahn.websocket.protocol", WebSocketProtocol=State)
    _stand_in("autobahn.websocket.utf8validator", Utf8Validator=Utf8Validator)
    case = _execute("case", folder / "case" / "case.py").Case
    # The comparison of the package depends on how Python writes equal objects down.
    case.compare = lambda _, one, other: one == other
    index = (folder / "case" / "__init__.py").read_text(encoding="latin-1")
    # Not made any more: a case without an end, and compression.
    wanted = [name for name in _imported(index) if name not in ("case9_9_1", "case12_x_x")]
    classes = {}
    for name in wanted:
        _load_with_bases(name, folder / "case", classes)
    numbered = [(_number(name), found) for name, found in classes.items()]
    return sorted((case for case in numbered if case[0][0] not in COMPRESSION), key=lambda case: [*map(int, case[0])])


def _load_with_bases(name, folder, classes):
    if name in sys.modules:
        return
    path = folder / f"{name}.py"
    for base in _imported(path.read_text(encoding="latin-1")):
        _load_with_bases(base, folder, classes)
    for member, value in vars(_execute(name, path)).items():
        found = value if isinstance(value, list) and member.startswith("Case") else [value]
        for made in found:
            if isinstance(made, type) and re.fullmatch(r"Case\d+(_\d+)+", made.__name__):
                classes[made.__name__] = made


def _number(name):
    return tuple(name.removeprefix("Case").split("_"))
