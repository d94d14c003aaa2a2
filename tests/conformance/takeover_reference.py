"""What the Python service does with a database, through its own package: run by `takeover`, not by itself."""

import sys

import osprofiler.opts
import sqlalchemy
from oslo_config import cfg
from zaqar.conf import drivers_management_store_sqlalchemy as options
from zaqar.conf import drivers, profiler
from zaqar.storage.sqlalchemy import driver, tables

# Of a store that our server can open: it removes the data of a deleted queue where the queue lies.
POOL = {"name": "pool", "uri": "sqlite://pool", "weight": 100, "flavor": "gold", "options": {"a": [1]}}
CAPABILITIES = [1, 2, 4, 5]


def expect(what, found, expected):
    if found != expected:
        sys.exit(f"the Python service: {what}: {found!r} instead of {expected!r}")


def make(url):
    """The package's table definitions, and the revision that they are of."""
    engine = sqlalchemy.create_engine(url)
    tables.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('007')")


def control(url):
    """The package's control driver on that database."""
    conf = cfg.ConfigOpts()
    conf([], project="zaqar", default_config_files=[])
    osprofiler.opts.set_defaults(conf)
    for group in (drivers, profiler):
        group.register_opts(conf)
    conf.register_opts(options.ALL_OPTS, group=options.GROUP_NAME)
    conf.set_override("uri", url, group=options.GROUP_NAME)
    return driver.ControlDriver(conf, None)


def fill(url):
    """Queues, a pool, a flavor and a place of each kind."""
    store = control(url)
    queues = store.queue_controller
    for n in range(45):
        queues.create(f"q{n:03}", {"n": n, "text": "é"}, project="p")
    queues.create("empty", None, project="p")
    queues.create("q000", {"deep": {"a": [1, 2.5, None]}}, project="other")
    if url.startswith("postgresql"):
        # The package binds bytes where PostgreSQL has text, and fails; its rows are those that it writes elsewhere.
        with store.engine.begin() as connection:
            row = {**POOL, "options": '{"a": [1]}'}
            connection.execute(tables.Pools.insert().values(**row))
            connection.execute(tables.Flavors.insert().values(name="gold", project="p", capabilities="[1, 2, 4, 5]"))
    else:
        store.pools_controller.create(**POOL)
        store.flavors_controller.create("gold", project="p", capabilities=CAPABILITIES)
    store.catalogue_controller.insert("p", "q000", "pool")
    store.catalogue_controller.insert("p", "q001", "pool")


def go_on(url):
    """Sees what was there and what ours did, and works on."""
    store = control(url)
    queues = store.queue_controller
    expect("a queue", queues.get_metadata("q003", project="p"), {"n": 3, "text": "é"})
    expect("a queue that ours made", queues.get_metadata("ours", project="p")["text"], "ü")
    expect("a queue that ours changed", queues.get_metadata("q000", project="p")["text"], "ö")
    expect("a queue that ours deleted", queues.exists("q001", project="p"), False)
    pages = queues.list(project="p", limit=100)
    names = [queue["name"] for queue in next(pages)]
    expect("a list", names, sorted({*(f"q{n:03}" for n in range(45)), "empty", "ours"} - {"q001"}))
    expect("the pool", store.pools_controller.get("pool", detailed=True), POOL)
    flavor = store.flavors_controller.get("gold", project="p", detailed=True)
    expect("the flavor", flavor, {"name": "gold", "capabilities": CAPABILITIES})
    place = store.catalogue_controller.get("p", "q000")
    expect("a place", place, {"queue": "q000", "project": "p", "pool": "pool"})
    expect("the place of a deleted queue", store.catalogue_controller.exists("p", "q001"), False)
    queues.create("theirs", {"by": "them"}, project="p")
    queues.set_metadata("ours", {"by": "them"}, project="p")
    queues.delete("q002", project="p")
    store.pools_controller.update("pool", weight=7)
    expect("a changed pool", store.pools_controller.get("pool")["weight"], 7)


{"make": make, "fill": fill, "go-on": go_on}[sys.argv[1]](sys.argv[2])
