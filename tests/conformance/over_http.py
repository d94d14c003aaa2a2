"""pytest plugin: the tests of the Python service's package, run against servers over HTTP and WebSocket.

Those tests build a `Bootstrap` from a configuration file and call its WSGI application in the same process.
This plugin puts a stand-in in its place, whose application sends each request to a running server and gives
the answer back. No file of the package is changed, and no store is touched from this process.

`--remote FILE` names a JSON document: `{"servers": {kind: URL}, "websockets": {kind: URL}, "pool_uri": URI,
"excluded": {test: reason}}`, where the URI is of a store that pools may lie in. The kinds are

    default         default limits, admin_mode, [signed_url] secret_key = test
    validation      [transport] max_queue_metadata = 64, max_messages_post_size = 256
    client_id_off   [transport] client_id_uuid_safe = off
    claim_ids       [transport] message_delete_with_claim_id = True
    pooled          [DEFAULT] pooling = True
    keystone        [DEFAULT] auth_strategy = keystone, [signed_url] secret_key = secret
    volume          holds one free and two claimed messages and nothing else

Over WebSocket there are default and keystone. A test that needs a kind which is not given is skipped. A suffix that differs for each test is added to every
X-Project-ID, so that tests do not see each other's data.
"""

import http.client
import importlib.util
import json
import os
import unittest
import urllib.parse
import uuid
from unittest import mock

import over_websocket
import pytest

TIMEOUT_SECONDS = 30
PATH_SAFE = "/:@!$&'()*+,;=-._~"
QUERY_SAFE = PATH_SAFE + "?%"
# Options that a test sets in its own process and that every server under test has anyway.
COMMON_OPTIONS = {"uri", "secret_key", "pooling", "admin_mode", "unreliable"}
KIND_OF_OPTION = {("client_id_uuid_safe", "off"): "client_id_off", ("message_delete_with_claim_id", True): "claim_ids"}
KIND_OF_FILE = {"validation": "validation", "pooled": "pooled", "keystone": "keystone", "faulty": "faulty"}
VOLUME_TEST = "TestHealthMongoDB::test_message_volume"

SERVERS, WEBSOCKETS, POOLS = {}, {}, {}


def pytest_addoption(parser):
    parser.addoption("--remote", required=True, help="JSON file with the servers and the excluded tests")


def pytest_configure(config):
    with open(config.getoption("--remote")) as file:
        remote = json.load(file)
    SERVERS.update(remote["servers"])
    POOLS["uri"] = remote["pool_uri"]
    WEBSOCKETS.update(remote["websockets"])
    config.excluded_tests = remote["excluded"]
    _take_the_place_of_bootstrap()
    _keep_pools_in(POOLS["uri"])


def test_name(item):
    """`unit.transport….TestClass.test_name`, as junit files and the list of excluded tests have it."""
    return f"{item.cls.__module__.removeprefix('zaqar.tests.')}.{item.cls.__name__}.{item.name}"


def pytest_collection_modifyitems(config, items):
    for item in items:
        reason = config.excluded_tests.get(test_name(item))
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=f"excluded: {reason}"))


def send(base, method, target, headers, body):
    """One HTTP exchange; gives (status, [(name, value)], body)."""
    url = urllib.parse.urlsplit(base)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=TIMEOUT_SECONDS)
    names = {name.lower() for name, _ in headers}
    try:
        connection.putrequest(method, target, skip_host="host" in names, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value.encode("utf-8"))
        # A PUT without a body carries no Content-Length, as in the package's own environments: the length of
        # 0 would already count as a body there. uWSGI needs one on the other methods.
        if "content-length" not in names and (body or method in ("POST", "PATCH")):
            connection.putheader("Content-Length", str(len(body)))
        try:
            connection.endheaders(body or None)
        except (BrokenPipeError, ConnectionResetError):
            pass  # answered before the whole body was read; the answer can be read all the same
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()
    finally:
        connection.close()


class RemoteApplication:
    """A WSGI application that forwards every call to the server of its test."""

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap

    def __call__(self, environ, start_response):
        import falcon

        suffix = self.bootstrap.suffix
        path = urllib.parse.quote(environ.get("PATH_INFO", "/").encode("latin-1"), safe=PATH_SAFE)
        query = urllib.parse.quote(environ.get("QUERY_STRING", ""), safe=QUERY_SAFE)
        body = environ["wsgi.input"].read() if environ.get("wsgi.input") else b""
        status, headers, answer = send(
            self.bootstrap.url(),
            environ["REQUEST_METHOD"],
            f"{path}?{query}" if query else path,
            self._request_headers(environ, body),
            body,
        )
        headers = [(name, value.replace(suffix, "")) for name, value in headers]
        answer = answer.replace(suffix.encode(), b"")
        start_response(falcon.code_to_http_status(status), headers)
        return [answer] if answer else []

    def _request_headers(self, environ, body):
        headers = []
        for key, value in environ.items():
            if key.startswith("HTTP_"):
                name = key[5:].replace("_", "-").title()
                headers.append((name, self._own_project(name, str(value))))
        if environ.get("CONTENT_TYPE"):
            headers.append(("Content-Type", environ["CONTENT_TYPE"]))
        if environ.get("CONTENT_LENGTH") and body:
            headers.append(("Content-Length", str(environ["CONTENT_LENGTH"])))
        return headers

    def _own_project(self, name, value):
        # Empty and over-long project ids are what a test is about: they go out as they are.
        suffix = self.bootstrap.suffix
        fits = value.strip() and len(value) + len(suffix) <= 255
        return value + suffix if name == "X-Project-Id" and fits else value


def remove_pools(url):
    """Removes every pool; first from its flavor, which keeps its last one."""
    headers = [("Client-ID", str(uuid.uuid4())), ("X-Project-ID", "remove-pools"), ("X-ROLES", "admin")]
    headers += [("Accept", "application/json"), ("Content-Type", "application/json")]
    while True:
        status, _, body = send(url, "GET", "/v2/pools?limit=20", headers, b"")
        pools = json.loads(body)["pools"] if status == 200 else []
        if not pools:
            return
        for pool in pools:
            send(url, "PATCH", pool["href"], headers, b'{"flavor": ""}')
            status, _, body = send(url, "DELETE", pool["href"], headers, b"")
            if status != 204:
                raise AssertionError(f"{pool['href']} is not deleted: {status} {body}")


class Storage:
    """Stands for the data driver. A test that reaches for a controller would inject a fault inside the server."""

    def __init__(self):
        self._storage = mock.MagicMock()
        self.sockets = []

    def close(self):
        for connection in self.sockets:
            connection.close()

    def __getattr__(self, name):
        if name.endswith("_controller"):
            raise unittest.SkipTest(f"looks inside the server ({name})")
        raise AttributeError(name)


class RemoteBootstrap:
    """Stands for the package's Bootstrap: chooses the server, holds the stand-ins for what tests touch."""

    def __init__(self, conf):
        from zaqar.conf import opts
        from zaqar.transport import base

        self.conf = conf
        self.suffix = f"-{uuid.uuid4().hex[:8]}"
        self.storage = Storage()
        self.control, self.cache, self.api, self.transport = (mock.MagicMock() for _ in range(4))
        self.control.pools_controller.drop_all = lambda: remove_pools(self.url())
        for group, options in opts.list_opts_by_group():
            conf.register_opts(options, group=group)
        # Where the package's older tests put pools.
        conf.set_override("uri", POOLS["uri"], group="drivers:management_store:mongodb")
        self.transport._defaults = base.ResourceDefaults(conf)
        self.api.get_defaults.return_value = self.transport._defaults
        self.transport.app = RemoteApplication(self)
        self.transport.factory = self._websocket
        self.kind = self._kind_of_file()
        self.real_set_override = conf.set_override
        conf.set_override = self._set_override
        url = self.url()
        if self.kind == "pooled":
            remove_pools(url)

    def _kind_of_file(self):
        if VOLUME_TEST in os.environ["PYTEST_CURRENT_TEST"]:
            return "volume"
        files = " ".join(os.path.basename(file) for file in self.conf.config_file or [])
        return next((kind for part, kind in KIND_OF_FILE.items() if part in files), "default")

    def _set_override(self, name, value, group=None, **more):
        # Every request after this goes to the server that runs with the option; what the test's setUp made on
        # the first one stays there. No test relies on it: queues are made anew by what follows.
        if name not in COMMON_OPTIONS:
            self.kind = KIND_OF_OPTION.get((name, value), f"{name}={value}")
            self.url()
        return self.real_set_override(name, value, group, **more)

    def url(self):
        if self.kind not in SERVERS:
            raise unittest.SkipTest(f"no server of the kind {self.kind} was given")
        return SERVERS[self.kind]

    def _websocket(self):
        if self.kind not in WEBSOCKETS:
            raise unittest.SkipTest(f"no WebSocket server of the kind {self.kind} was given")
        return over_websocket.RemoteProtocol(WEBSOCKETS[self.kind], self.suffix, self.storage.sockets)

    def run(self):
        raise unittest.SkipTest("runs the server in the process of the test")


def _take_the_place_of_bootstrap():
    tests = os.path.join(os.path.dirname(importlib.util.find_spec("zaqar").origin), "tests")
    os.environ.setdefault("ZAQAR_TESTS_CONFIGS_DIR", os.path.join(tests, "etc"))
    # Without these the package skips the tests named after its stores, which are the tests of the API.
    for store in ("MONGODB", "REDIS", "SLOW"):
        os.environ[f"ZAQAR_TEST_{store}"] = "1"

    import testtools
    import zaqar.bootstrap
    import zaqar.transport.websocket.factory  # the tests name it without importing it

    if not hasattr(testtools.TestCase, "skip"):  # the package still calls it by the older name
        testtools.TestCase.skip = testtools.TestCase.skipTest
    zaqar.bootstrap.Bootstrap = RemoteBootstrap

    from zaqar.tests.functional import base

    base._TEST_INTEGRATION = False
    base.FunctionalTestBase.tearDownClass = classmethod(lambda cls: None)


def _keep_pools_in(uri):
    # What the package's tests call MongoDB is where they put pools. Its own variable for this would also change
    # the names of the files by which `RemoteBootstrap` knows the kind of server.
    from zaqar.tests import base

    original = base.TestBase.setUp

    def set_up(self):
        original(self)
        self.mongodb_url = uri

    base.TestBase.setUp = set_up
