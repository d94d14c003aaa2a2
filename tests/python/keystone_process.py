"""Keystone in one process, with the Python of its virtual environment: keys, tables, first administrator, server.

Takes the folder that `identity.py` prepared. Everything is done in a process that has Keystone loaded once, because
loading it is most of what each of its own commands costs.
"""

import ctypes
import json
import os
import pathlib
import signal
import sys
import warnings

warnings.simplefilter("ignore")

import keystone.server  # noqa: E402
from gunicorn.app.base import BaseApplication  # noqa: E402
from keystone.cmd.bootstrap import Bootstrapper  # noqa: E402
from keystone.common import fernet_utils, jwt_utils  # noqa: E402
from keystone.common.sql import upgrades  # noqa: E402
from keystone.server import wsgi  # noqa: E402

PR_SET_PDEATHSIG = 1
ACCESS_LOG = '"%(m)s %(U)s%(q)s" %(s)s %(b)s %(M)sms "%(a)s"'


def make_keys(folder):
    """Keys of Fernet tokens and credentials, and a pair for JWS tokens."""
    for name, group in (("fernet-keys", "fernet_tokens"), ("credential-keys", "credential")):
        keys = fernet_utils.FernetUtils(str(folder / name), 3, group)
        keys.create_key_directory()
        keys.initialize_key_repository()
    for name in ("private", "public"):
        (folder / "jws-keys" / name).mkdir(parents=True, mode=0o700)
    jwt_utils.create_jws_keypair(*(str(folder / f"jws-keys/{name}/{name}.pem") for name in ("private", "public")))


def bootstrap(wanted):
    """What `keystone-manage bootstrap` does: the roles, the first administrator, region and catalogue."""
    first = Bootstrapper()
    first.admin_username = first.project_name = first.admin_role_name = "admin"
    first.admin_password, first.region_id = wanted["password"], wanted["region"]
    first.service_name, first.immutable_roles = "keystone", True
    first.public_url = first.internal_url = first.admin_url = wanted["auth_url"]
    first.bootstrap()


def prepare(folder, wanted, config):
    """Makes keys and tables in a process of its own, so that the server's state has nothing of it."""
    pid = os.fork()
    if pid == 0:
        keystone.server.configure(config_files=[config])
        make_keys(folder)
        upgrades.offline_sync_database_to_version()
        bootstrap(wanted)
        sys.stdout.flush()
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    if status:
        sys.exit("keystone: its tables could not be made")


def die_with_parent(_server, _worker):
    """Ends the worker when the master is killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Service(BaseApplication):
    """Keystone under gunicorn. One worker, because its cache is inside the process."""

    def __init__(self, wanted, config):
        self.wanted, self.config = wanted, config
        super().__init__()

    def load_config(self):
        settings = {"bind": self.wanted["bind"], "worker_class": "gthread", "threads": 8, "keepalive": 75}
        settings |= {"accesslog": "access.log", "access_log_format": ACCESS_LOG, "post_fork": die_with_parent}
        settings |= {"control_socket_disable": True, **self.wanted["tls"]}
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self):
        os.environ["OS_KEYSTONE_CONFIG_FILES"] = self.config
        return wsgi.initialize_public_application()


def main():
    folder = pathlib.Path(sys.argv[1])
    # Keystone and gunicorn would take the arguments for theirs.
    del sys.argv[1:]
    os.chdir(folder)
    wanted = json.loads((folder / "wanted.json").read_text())
    config = str(folder / "keystone.conf")
    prepare(folder, wanted, config)
    Service(wanted, config).run()


if __name__ == "__main__":
    main()
