"""Servers under test, as child processes on the loopback interface.

Everything started here ends with the `with` block that started it, also when the block fails; should this
process be killed outright, the kernel ends its children.
"""

import contextlib
import ctypes
import http.client
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENCRYPTION_KEY = "a key for tests only"
PR_SET_PDEATHSIG = 1


class StartError(Exception):
    """A server did not come up; the text says why, with the end of its log."""


class Server:
    """A running server: its URL, the processes whose CPU time and memory are its cost, how long it took to start.

    `websocket` is the URL of its listener for WebSocket, where it has one.
    """

    def __init__(self, url, pids, seconds_to_answer, websocket=None):
        self.url = url
        self.pids = pids
        self.seconds_to_answer = seconds_to_answer
        self.websocket = websocket

    @property
    def address(self):
        """host:port"""
        return urllib.parse.urlsplit(self.url).netloc


def free_ports(count):
    """So many TCP ports that nothing listens on, all different."""
    with contextlib.ExitStack() as probes:
        bound = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in bound:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in bound]


def free_port():
    """A TCP port that nothing listens on."""
    return free_ports(1)[0]


def listening(port):
    """Whether something accepts connections on that port of 127.0.0.1 now."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def default_binary():
    """The newest build of our server in the target folder."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    built = [p for p in (target / "debug" / "zaqar", target / "release" / "zaqar") if p.exists()]
    if not built:
        raise StartError("no zaqar binary under target; run cargo build, or name one with --binary")
    return max(built, key=lambda p: p.stat().st_mtime)


def write_ini(path, options):
    """Writes {section: {option: value}} as an oslo configuration file."""
    lines = []
    for section, values in options.items():
        lines.append(f"[{section}]")
        lines += [f"{name} = {value}" for name, value in values.items()]
    path.write_text("\n".join(lines) + "\n")


def merged(*layers):
    """{section: {option: value}} of all layers; later ones win."""
    result = {}
    for layer in layers:
        for section, values in layer.items():
            result.setdefault(section, {}).update(values)
    return result


def _die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@contextlib.contextmanager
def child(argv, log, **popen):
    """A child process for the time of the block: its output goes to the file `log`, SIGTERM ends it."""
    with open(log, "ab") as out:
        process = subprocess.Popen(
            argv, stdout=out, stderr=out, stdin=subprocess.DEVNULL, preexec_fn=_die_with_parent, **popen
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(url, path, expected):
    """Whether GET url+path gives one of the expected statuses now."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status in expected
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def wait_for(ready, process, log, seconds=30):
    """Waits until ready() holds and gives the seconds it took; fails when the process ends first or it takes longer."""
    start = time.monotonic()
    while not ready():
        if process.poll() is not None or time.monotonic() > start + seconds:
            what = "ended" if process.poll() is not None else f"did not answer within {seconds} s"
            tail = "".join(pathlib.Path(log).read_text(errors="replace").splitlines(keepends=True)[-15:])
            raise StartError(f"{process.args[0]} {what}; the end of {log}:\n{tail}")
        time.sleep(0.002)
    return time.monotonic() - start


@contextlib.contextmanager
def zaqar(binary, directory, options=None):
    """Our server with its own state directory, `options` on top of what every test server has."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    port, websocket_port = free_ports(2)
    base = {
        "DEFAULT": {"state_path": directory, "admin_mode": True, "unreliable": True, "auth_strategy": ""},
        "drivers:transport:wsgi": {"bind": "127.0.0.1", "port": port},
        "drivers:transport:websocket": {"bind": "127.0.0.1", "port": websocket_port},
        "signed_url": {"secret_key": "test"},
        "transport": {"message_encryption_key": ENCRYPTION_KEY},
    }
    config, log = directory / "zaqar.conf", directory / "server.log"
    write_ini(config, merged(base, options or {}))
    url = f"http://127.0.0.1:{port}"
    with child([binary, "server", "--config-file", config], log, cwd=directory) as process:
        took = wait_for(lambda: answers(url, "/healthcheck", (200, 204)), process, log)
        yield Server(url, [process.pid], took, f"ws://127.0.0.1:{websocket_port}")


def end_on_signals():
    """Lets SIGTERM and SIGHUP unwind this process like Ctrl-C, so that its children are ended."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
