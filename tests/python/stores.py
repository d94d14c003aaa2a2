"""What our server can keep its data in, by name; the servers that this needs run for the time of a block."""

import contextlib
import pathlib
import subprocess

import databases
import reference
import servers


class Embedded:
    """Messages inside the server, queues in a file beside them; every server has stores of its own."""

    def __init__(self, message_store):
        self.message_store = message_store
        # For SQLite a folder in the state directory of the server that has the pools.
        self.pool_uri = f"{message_store}://pool"

    def options(self, _name):
        """The options of a server."""
        return {"drivers": {"message_store": self.message_store}}


class Remote:
    """Messages in Redis, queues in a database server; servers that name the same stores share them."""

    def __init__(self, binary, folder, redis_port, pool_port, new_database):
        self.binary, self.folder, self.redis_port, self.new_database = binary, folder, redis_port, new_database
        self.pool_uri = f"redis://127.0.0.1:{pool_port}"
        self._stores = {}

    def options(self, name):
        """The options of a server on the stores of that name: one of Redis's databases, and tables ready for use."""
        if name not in self._stores:
            self._stores[name] = options = {
                "drivers": {"message_store": "redis", "management_store": "sqlalchemy"},
                "drivers:message_store:redis": {"uri": f"redis://127.0.0.1:{self.redis_port}?dbid={len(self._stores)}"},
                "drivers:management_store:sqlalchemy": {"uri": self.new_database(f"zaqar_{name.replace('-', '_')}")},
            }
            self._upgrade(name, options)
        return self._stores[name]

    def _upgrade(self, name, options):
        config = self.folder / f"{name}.conf"
        servers.write_ini(config, options)
        argv = [self.binary, "db", "--config-file", config, "upgrade"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise servers.StartError(f"zaqar db upgrade failed:\n{done.stdout}{done.stderr}")


@contextlib.contextmanager
def _remote(binary, folder, database):
    folder = pathlib.Path(folder)
    pools = folder / "pools"
    pools.mkdir(parents=True)
    with (
        reference.redis(folder) as (redis_port, _),
        # Of its own: whoever has a pool may clear away what is not his.
        reference.redis(pools) as (pool_port, _),
        databases.KINDS[database](folder) as new_database,
    ):
        yield Remote(binary, folder, redis_port, pool_port, new_database)


@contextlib.contextmanager
def opened(name, binary, folder):
    """The stores of that name; `folder` is for what their servers keep."""
    if "+" not in name:
        yield Embedded(name)
        return
    with _remote(binary, folder, name.removeprefix("redis+")) as stores:
        yield stores


NAMES = ("sqlite", "memory", "redis+mariadb", "redis+postgresql")
