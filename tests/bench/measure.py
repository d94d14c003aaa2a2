"""What the measuring scripts share: builds, servers, runs of the load generator, medians, the state of the machine."""

import contextlib
import json
import os
import pathlib
import platform
import socket
import statistics
import subprocess
import sys
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / "python"))
sys.dont_write_bytecode = True

import reference  # noqa: E402
import servers  # noqa: E402

STORES = ("sqlite", "redis", "memory")
# Modes of the load generator that are of the WebSocket API only.
PUSH_MODES = ("idle", "fanout", "push")
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
# Above this load average something else is running, and numbers say little.
QUIET_LOAD = 0.5


def _cargo(*arguments):
    subprocess.run(["cargo", "build", "--release", "--quiet", *arguments], cwd=ROOT, check=True)


def _tool(name):
    target = TARGET / name
    _cargo("--manifest-path", str(HERE / name / "Cargo.toml"), "--target-dir", str(target))
    return target / "release" / name


def loadgen():
    """The load generator, built where needed."""
    return _tool("loadgen")


def floor_program():
    """The floor under posts to Redis, built where needed."""
    return _tool("floor")


def release_binary(given):
    """`given`, else our server built for release."""
    if given is None:
        _cargo("--bin", "zaqar")
        given = TARGET / "release" / "zaqar"
    return given.resolve()


@contextlib.contextmanager
def ours(binary, folder, store, options=None):
    """Our server on that message store; its cost includes Redis. `redis_port` is None where there is none."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    chosen = servers.merged({"drivers": {"message_store": store}}, options or {})
    with contextlib.ExitStack() as stack:
        port, more = None, []
        if store == "redis":
            port, process = stack.enter_context(reference.redis(folder))
            chosen["drivers:message_store:redis"] = {"uri": f"redis://127.0.0.1:{port}"}
            more = [process.pid]
        server = stack.enter_context(servers.zaqar(binary, folder, chosen))
        server.own_pids, server.redis_port = list(server.pids), port
        server.pids += more
        yield server


@contextlib.contextmanager
def floor(folder):
    """The floor program with a Redis of its own, which is part of its cost."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = folder / "floor.log"
    with reference.redis(folder) as (port, redis):
        with servers.child([floor_program(), f"redis://127.0.0.1:{port}"], log) as process:
            took = servers.wait_for(lambda: log.read_text().endswith("\n"), process, log)
            yield servers.Server(f"http://{log.read_text().strip()}", [process.pid, redis.pid], took)


def redis_memory(port):
    """Bytes that a Redis has allocated."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"INFO memory\r\n")
        answer = b""
        while b"mem_fragmentation_bytes" not in answer:
            answer += connection.recv(65536)
    return int(next(line for line in answer.split(b"\r\n") if line.startswith(b"used_memory:")).split(b":")[1])


def run(program, server, mode, **options):
    """One run of the load generator: its report as a dictionary. Errors end the measuring. True makes a bare flag."""
    flags = []
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        flags += [flag] if value is True else [flag, str(value)]
    pids = ",".join(map(str, server.pids))
    url = server.websocket if mode in PUSH_MODES or options.get("websocket") else server.url
    address = urllib.parse.urlsplit(url).netloc
    command = [program, mode, "--json", "--addr", address, "--pids", pids, *flags]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{mode}: {done.stderr.strip()}")
    report = json.loads(done.stdout)
    if report["errors"]:
        raise RuntimeError(f"{mode}: {report['errors']} errors, the first: {report['first_error']}")
    return report


def medians(reports):
    """The median of every number over several reports."""
    numbers = [name for name, value in reports[0].items() if isinstance(value, int | float)]
    return {name: statistics.median(report[name] for report in reports) for name in numbers}


def rss_mib(pids):
    """Resident memory of the processes together."""
    kib = 0
    for pid in pids:
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
        kib += next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
    return kib / 1024


def machine():
    """The machine and how busy it is, in one line."""
    cpus = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in cpus if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} x {model}, Linux {platform.release()}, load average {os.getloadavg()[0]:.2f}"


def warn_if_busy():
    """Says so when something else is running."""
    if os.getloadavg()[0] > QUIET_LOAD:
        print(f"the load average is above {QUIET_LOAD}: these numbers only show that the tool works", file=sys.stderr)


def verdicts(bars):
    """Prints [(text, holds)]; gives the exit code."""
    for text, holds in bars:
        print(f"{'holds ' if holds else 'MISSED'}  {text}")
    return 0 if all(holds for _, holds in bars) else 1
