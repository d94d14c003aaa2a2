"""The Python service from PyPI on the loopback interface: the contract to compare with.

REST under uWSGI (its HTTP router with keep-alive, as deployments run it), messages in a Redis of its own with
an append-only file synced every second, no authentication.
"""

import contextlib
import os
import pathlib
import shutil
import subprocess

from environment import environment
from servers import ENCRYPTION_KEY, Server, StartError, answers, child, free_port, free_ports, listening, merged, wait_for, write_ini

REQUIREMENTS = pathlib.Path(__file__).with_name("requirements-reference.txt")
CREATE_TABLES = (
    "import sys, sqlalchemy; from zaqar.storage.sqlalchemy import tables; "
    "engine = sqlalchemy.create_engine(sys.argv[1]); tables.metadata.create_all(engine); "
    "engine.connect().exec_driver_sql('PRAGMA journal_mode=WAL')"
)


@contextlib.contextmanager
def redis(directory):
    """A redis-server that keeps its data in `directory`; gives (port, process)."""
    program = shutil.which("redis-server")
    if program is None:
        raise StartError("redis-server is not installed (Debian: apt-get install redis-server)")
    port, log = free_port(), directory / "redis.log"
    argv = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", directory]
    argv += ["--appendonly", "yes", "--appendfsync", "everysec", "--auto-aof-rewrite-percentage", "0"]
    with child(argv, log) as process:
        wait_for(lambda: listening(port), process, log)
        yield port, process


def _management(kind, venv, directory, redis_port):
    """The options of the management store; makes the tables where it is an SQL one."""
    if kind == "redis":
        return {"drivers:management_store:redis": {"uri": f"redis://127.0.0.1:{redis_port}"}}
    uri = f"sqlite:///{directory}/management.sqlite"
    subprocess.run([venv / "bin" / "python", "-c", CREATE_TABLES, uri], check=True)
    return {"drivers:management_store:sqlalchemy": {"uri": uri}}


def _children(pid):
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def _uwsgi(venv, port, processes, keepalive):
    return [
        venv / "bin" / "uwsgi", "--http", f"127.0.0.1:{port}", "--master", "--no-orphans",
        "--processes", str(processes), "--enable-threads", "--lazy-apps", "--die-on-term",
        "--post-buffering", "65536", "--buffer-size", "65535", "--disable-logging",
        *(["--http-keepalive", "--add-header", "Connection: Keep-Alive"] if keepalive else ["--add-header", "Connection: close"]),
        "--module", "zaqar.transport.wsgi.app:application",
    ]  # fmt: skip


def _options(transport, directory, redis_port, management):
    """What every server of this kind is told."""
    return {
        "DEFAULT": {"admin_mode": True, "unreliable": True, "auth_strategy": "", "log_file": directory / "service.log"},
        "drivers": {"transport": transport, "message_store": "redis", "management_store": management},
        "drivers:message_store:redis": {"uri": f"redis://127.0.0.1:{redis_port}?socket_timeout=5"},
        "signed_url": {"secret_key": "test"},
        "transport": {"message_encryption_key": ENCRYPTION_KEY},
    }


@contextlib.contextmanager
def python_websocket(directory, options=None, management="redis"):
    """The service's WebSocket server, one process, with a Redis of its own.

    What it pushes comes to it through a private listener of its own, whose URL is the `url` of what this gives.
    """
    directory = pathlib.Path(directory)
    venv = environment(REQUIREMENTS)
    directory.mkdir(parents=True, exist_ok=True)
    with redis(directory) as (redis_port, redis_process):
        port, notification_port = free_ports(2)
        base = merged(
            _options("websocket", directory, redis_port, management),
            _management(management, venv, directory, redis_port),
            {
                "drivers:transport:websocket": {
                    "bind": "127.0.0.1",
                    "port": port,
                    "notification_bind": "127.0.0.1",
                    "notification_port": notification_port,
                },
                "storage": {"message_pipeline": "zaqar.notification.notifier"},
            },
        )
        config, log = directory / "zaqar.conf", directory / "server.log"
        write_ini(config, merged(base, options or {}))
        argv = [venv / "bin" / "zaqar-server", "--config-file", config]
        with child(argv, log, cwd=directory, env={**os.environ, "HOME": str(directory)}) as process:
            took = wait_for(lambda: listening(port), process, log, seconds=60)
            url = f"http://127.0.0.1:{notification_port}"
            yield Server(url, [process.pid, redis_process.pid], took, f"ws://127.0.0.1:{port}")


@contextlib.contextmanager
def python_service(directory, options=None, management="redis", processes=2, keepalive=True):
    """The service with `options`; `management` is redis or sqlalchemy (SQLite). Its cost includes Redis.

    With `keepalive` uWSGI resets connections after some answers without a body, which not every client forgives.
    """
    directory = pathlib.Path(directory)
    venv = environment(REQUIREMENTS)
    (directory / ".zaqar").mkdir(parents=True, exist_ok=True)
    with redis(directory) as (redis_port, redis_process):
        stores = _management(management, venv, directory, redis_port)
        base = merged(_options("wsgi", directory, redis_port, management), stores)
        write_ini(directory / ".zaqar" / "zaqar.conf", merged(base, options or {}))
        port, log = free_port(), directory / "uwsgi.log"
        url = f"http://127.0.0.1:{port}"
        env = {**os.environ, "HOME": str(directory)}
        with child(_uwsgi(venv, port, processes, keepalive), log, env=env, cwd=directory) as process:
            took = wait_for(lambda: answers(url, "/", (300,)), process, log, seconds=60)
            yield Server(url, [*_children(process.pid), redis_process.pid], took)
