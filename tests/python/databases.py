"""Database servers on sockets of their own, for the time of a block. As root they run as Debian's packages have them.

Each gives a function that makes an empty database of a name and tells its URL.
"""

import contextlib
import os
import pathlib
import shutil
import subprocess

from servers import StartError, child, wait_for


def _program(name, folders, package):
    path = os.pathsep.join([*map(str, folders), os.environ.get("PATH", "")])
    found = shutil.which(name, path=path)
    if found is None:
        raise StartError(f"{name} is missing (Debian: apt-get install {package})")
    return found


def _done(argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise StartError(f"{argv[0]} failed:\n{done.stdout}{done.stderr}")


def _succeeds(argv):
    return subprocess.run(argv, capture_output=True, check=False, stdin=subprocess.DEVNULL).returncode == 0


@contextlib.contextmanager
def sqlite(directory):
    """Files, for the sake of likeness."""
    yield lambda name: f"sqlite:///{pathlib.Path(directory).absolute()}/{name}.sqlite"


@contextlib.contextmanager
def mariadb(directory):
    """A MariaDB server."""
    directory = pathlib.Path(directory)
    data, socket, log = directory / "mariadb", directory / "mariadb.sock", directory / "mariadb.log"
    user = ["--user=root"] if os.geteuid() == 0 else []
    installer = _program("mariadb-install-db", [], "mariadb-server")
    quick = ["--auth-root-authentication-method=normal", "--skip-test-db"]
    _done([installer, "--no-defaults", f"--datadir={data}", *quick, *user])
    server = _program("mariadbd", ["/usr/sbin"], "mariadb-server")
    settings = ["--skip-networking", "--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=32M"]
    argv = [server, "--no-defaults", f"--datadir={data}", f"--socket={socket}", *settings, *user]
    client = [_program("mariadb", [], "mariadb-client"), "--no-defaults", f"--socket={socket}", "--user=root"]

    def new_database(name):
        _done([*client, f"--execute=CREATE DATABASE {name} CHARACTER SET utf8"])
        return f"mysql+pymysql://root@localhost/{name}?charset=utf8&unix_socket={socket}"

    with child([*argv, f"--pid-file={directory}/mariadb.pid"], log) as process:
        wait_for(lambda: _succeeds([*client, "--execute=SELECT 1"]), process, log, seconds=60)
        yield new_database


@contextlib.contextmanager
def postgres(directory):
    """A PostgreSQL server."""
    directory = pathlib.Path(directory) / "postgres"
    directory.mkdir(mode=0o755)
    folders = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda f: -int(f.parent.name))
    demote = []
    if os.geteuid() == 0:
        # The server refuses to be root. A change of user ends that it dies with its parent, so this is said again.
        demote = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--pdeathsig=KILL"]
        shutil.chown(directory, "postgres")
        for parent in directory.parents[:2]:
            parent.chmod(parent.stat().st_mode | 0o011)
    initdb = [*demote, _program("initdb", folders, "postgresql"), "-D", directory / "data", "--no-sync"]
    _done([*initdb, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--username=postgres"])
    settings = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={directory}", "-c", "fsync=off"]
    argv = [*demote, _program("postgres", folders, "postgresql"), "-D", directory / "data", *settings]
    client = [_program("psql", folders, "postgresql-client"), "-h", directory, "-U", "postgres"]
    log = directory.parent / "postgres.log"

    def new_database(name):
        _done([*client, "-c", f"CREATE DATABASE {name}"])
        return f"postgresql+psycopg2://postgres@/{name}?host={directory}"

    with child(argv, log) as process:
        wait_for(lambda: _succeeds([*client, "-c", "SELECT 1"]), process, log, seconds=60)
        yield new_database


KINDS = {"sqlite": sqlite, "mariadb": mariadb, "postgresql": postgres}
