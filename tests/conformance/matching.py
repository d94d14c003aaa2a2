"""Compares a recorded answer with a real one, learning on the way which real name stands for a recorded one.

A recorded document is full of names that differ in every run: ids of messages and claims, markers, projects,
times. `Names` holds what is known so far. `differences` walks both documents side by side: a recorded id that
is met for the first time takes the real text in its place, later it must be that text. The signature and the end of
a pre-signed URL are learned together.
"""

import re

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
NIL = "00000000-0000-0000-0000-000000000000"
# An id, or (group 1) a marker that is one: ours are opaque and no ids.
NAME = re.compile(rf"(?<=marker=)({UUID})|{UUID}")
REAL_ID, REAL_MARKER = "([A-Za-z0-9_-]+)", "([^&]+)"
CREATED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
SIGNATURE = re.compile(r"[0-9a-f]{64}")
EXPIRES = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
# Ends that a request named; others are counted from the time of the request.
NAMED_EXPIRES = ("2030-01-01T00:00:00",)
# Seconds that a message may have aged more than in the recording.
SLACK_SECONDS = 120
# In an expected document: any text that is not empty.
ANY_TEXT = "*"


class Names:
    """What stands for what: projects and the URIs of pools are given, ids and markers are learned."""

    def __init__(self, projects, pools):
        self.projects = projects
        self.pools = pools
        self.ids = {NIL: NIL}
        self.markers = {}
        # {recorded signature: (recorded end, {recorded: real})}
        self.urls = {}

    def real(self, text):
        """A recorded request's text with real names in it."""
        for recorded, real in self.pools.items():
            text = text.replace(recorded, real)
        return NAME.sub(self._real_name, text)

    def real_headers(self, headers):
        """The headers of a recorded request with the real values of the pre-signed URL that they bring, if any."""
        expires, real = self.urls.get(headers.get("URL-Signature"), (None, {}))
        known = {"URL-Signature": real} | ({"URL-Expires": real} if headers.get("URL-Expires") == expires else {})
        return {name: known.get(name, {}).get(value, value) for name, value in headers.items()}

    def learn_url(self, recorded, real):
        """Takes the values of a pre-signed URL from the answer that made it."""
        pairs = [(recorded[key], real[key]) for key in ("signature", "expires")]
        self.urls[recorded["signature"]] = (recorded["expires"], dict(pairs))

    def _real_name(self, found):
        recorded = found[0]
        known = self.ids.get(recorded, recorded)
        return self.markers.get(recorded, known) if found[1] else known

    def recorded(self, text):
        """A real answer's text with the recorded names of projects and pools in it."""
        for recorded, real in [*self.projects.items(), *self.pools.items()]:
            text = text.replace(real, recorded)
        return text

    def matches(self, recorded, real):
        """Whether `real` is `recorded` with other names; learns those that are new."""
        pattern, new, last = "", [], 0
        for found in NAME.finditer(recorded):
            pattern += re.escape(recorded[last : found.start()])
            last = found.end()
            if found[1]:
                pattern += REAL_MARKER
                new.append((self.markers, found[0]))
            elif found[0] in self.ids:
                pattern += re.escape(self.ids[found[0]])
            else:
                pattern += REAL_ID
                new.append((self.ids, found[0]))
        match = re.fullmatch(pattern + re.escape(recorded[last:]), real)
        return match is not None and all(self._learn(*name, value) for name, value in zip(new, match.groups()))

    def _learn(self, known, recorded, real):
        # A marker may have a new form on every page; an id stands for one thing only.
        if known is self.ids:
            taken = recorded not in known and real in known.values()
            if taken or known.get(recorded, real) != real:
                return False
        known[recorded] = real
        return True


def alter(document, exception):
    """Changes a recorded document as an entry says: `drop` has the paths of members, `set` those with their values.

    The value "null" stands for null, which TOML cannot say.
    """
    for *parents, last in exception.get("drop", []):
        del _member(document, parents)[last]
    for *parents, last, value in exception.get("set", []):
        _member(document, parents)[last] = None if value == "null" else value


def _member(document, path):
    for key in path:
        document = document[key]
    return document


def differences(recorded, real, names, path="answer"):
    """What differs between two JSON values, a line each."""
    if isinstance(recorded, dict) and isinstance(real, dict):
        return _different_members(recorded, real, names, path)
    if isinstance(recorded, list) and isinstance(real, list):
        lines = [] if len(recorded) == len(real) else [f"{path}: {len(recorded)} items wanted, {len(real)} found"]
        for index, pair in enumerate(zip(recorded, real)):
            lines += differences(*pair, names, f"{path}[{index}]")
        return lines
    if _same_value(recorded, real, names, path.rsplit(".", 1)[-1]):
        return []
    return [f"{path}: {recorded!r} wanted, {real!r} found"]


def _different_members(recorded, real, names, path):
    lines = [f"{path}: member {key!r} is missing" for key in recorded if key not in real]
    lines += [f"{path}: member {key!r} is not expected" for key in real if key not in recorded]
    if {"signature", "expires"} <= recorded.keys() & real.keys():
        names.learn_url(recorded, real)
    for key in recorded:
        if key in real:
            lines += differences(recorded[key], real[key], names, f"{path}.{key}")
    return lines


def _same_value(recorded, real, names, key):
    if key == "age":
        return type(real) is int and 0 <= real <= recorded + SLACK_SECONDS
    if key == "seconds":
        return type(real) in (int, float) and 0 <= real
    if key == "created":
        return isinstance(real, str) and CREATED.fullmatch(real) is not None
    if key == "signature":
        return isinstance(real, str) and SIGNATURE.fullmatch(real) is not None
    if key == "expires" and recorded not in NAMED_EXPIRES:
        return isinstance(real, str) and EXPIRES.fullmatch(real) is not None
    if isinstance(recorded, str) and isinstance(real, str):
        return bool(real) if recorded == ANY_TEXT else names.matches(recorded, real)
    return type(recorded) is type(real) and recorded == real
