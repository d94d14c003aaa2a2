"""A web page in headless Chromium that uses the service with what the browser has: WebSocket and EventSource.

The page is `browser.js`, served from a port of its own, so that to the service it comes from another origin. A detour
to the REST API lets the page cut its connections. Needs Debian's chromium and chromium-driver.
"""

import contextlib
import http.server
import json
import pathlib
import shutil
import socket
import threading
import urllib.parse
import urllib.request
import uuid

import servers

PAGE = pathlib.Path(__file__).with_name("browser.js")
# The last three keep it from looking for what it cannot reach.
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
SCRIPT = "const done = arguments[1]; runAll(arguments[0]).then(done, (error) => done({ page: ['fail', `${error}`] }));"
SECONDS = 240


class Detour:
    """A port that passes everything on to an address, and can cut all that goes through it."""

    def __init__(self, address):
        self.address, self.open = address, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):  # the listener is closed
            while True:
                near, _ = self.listener.accept()
                far = socket.create_connection(self.address)
                self.open += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    @staticmethod
    def _pass_on(one, other):
        with contextlib.suppress(OSError):  # it is cut
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)

    def cut(self):
        for each in self.open:
            with contextlib.suppress(OSError):  # it is closed already
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self.open.clear()

    def close(self):
        self.listener.close()
        self.cut()


@contextlib.contextmanager
def page(port, detour):
    """The page on that port, for the time of a block; the path /cut cuts the detour."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/cut":
                detour.cut()
            body = b"" if self.path == "/cut" else b"<!doctype html><meta charset=utf-8><script>%s</script>" % PAGE.read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.shutdown()


class Browser:
    """A session of Chromium through its driver."""

    def __init__(self, url, profile):
        self.url = url
        options = {"binary": shutil.which("chromium"), "args": [*FLAGS, f"--user-data-dir={profile}"]}
        wanted = {"capabilities": {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}}
        self.url = f"{url}/session/{self.call('POST', '/session', wanted)['sessionId']}"

    def call(self, method, path, body=None):
        """One command; gives its value."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=SECONDS + 30) as answer:
            return json.load(answer)["value"]


@contextlib.contextmanager
def browser(folder):
    """A browser for the time of a block."""
    driver = shutil.which("chromedriver")
    if driver is None or shutil.which("chromium") is None:
        raise servers.StartError("no browser (Debian: apt-get install chromium chromium-driver)")
    folder.mkdir()
    port, log = servers.free_port(), folder / "driver.log"
    url = f"http://127.0.0.1:{port}"
    with servers.child([driver, f"--port={port}"], log, cwd=folder) as process:
        servers.wait_for(lambda: servers.answers(url, "/status", (200,)), process, log)
        session = Browser(url, folder / "profile")
        try:
            yield session
        finally:
            session.call("DELETE", "")


def run(folder, facts):
    """{test: [outcome, why]} of the page; `facts` is what it wants to know, and the port of its origin."""
    address = urllib.parse.urlsplit(facts["rest"])
    with contextlib.closing(Detour((address.hostname, address.port))) as detour:
        settings = {**facts, "client_id": str(uuid.uuid4()), "detour": detour.url}
        with page(facts["page_port"], detour) as url, browser(folder) as session:
            session.call("POST", "/timeouts", {"script": SECONDS * 1000})
            session.call("POST", "/url", {"url": url})
            return session.call("POST", "/execute/async", {"script": SCRIPT, "args": [settings]})
