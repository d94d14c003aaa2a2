"""A real Keystone from PyPI on the loopback interface, with the projects, users and endpoints that tests need."""

import contextlib
import json
import pathlib
import ssl
import subprocess
import urllib.error
import urllib.request

import environment
import servers

REQUIREMENTS = pathlib.Path(__file__).with_name("requirements-cloud.txt")
PROCESS = pathlib.Path(__file__).with_name("keystone_process.py")
PASSWORD = "secret"
CERTIFICATES = pathlib.Path(__file__).with_name("certificates.py")
REGION = "RegionOne"
# How it is reached: in the clear, over TLS, over TLS with a certificate of the client.
TRANSPORTS = ("http", "tls", "mutual-tls")
PROJECTS = ("service", "alpha", "beta")
# user: (project, roles there). `zaqar` is our service's own user, `nova` another service that calls ours.
USERS = {
    "zaqar": ("service", ["service"]),
    "nova": ("service", ["service"]),
    "alice": ("alpha", ["member"]),
    "carol": ("alpha", ["reader"]),
    "dave": ("alpha", ["manager"]),
    "bob": ("beta", ["member"]),
    "operator": ("admin", ["admin"]),
}


class Keystone:
    """A running Keystone: its API as its administrator, and `facts`, what a test needs to know."""

    def __init__(self, url, folder, provider, trust):
        self.url = url
        self._token = None
        self._trust = trust
        self.facts = {
            "url": url,
            "auth_url": f"{url}/v3",
            "region": REGION,
            "provider": provider,
            "password": PASSWORD,
            "access_log": str(folder / "access.log"),
            "log": str(folder / "keystone.log"),
            "jws_public_keys": str(folder / "jws-keys/public"),
            "jws_private_keys": str(folder / "jws-keys/private"),
        }

    def call(self, method, path, body=None, more=None):
        """One call of the Identity API v3, with more headers; gives (headers, document or None)."""
        headers = {"Content-Type": "application/json"} | ({"X-Auth-Token": self._token} if self._token else {})
        headers |= more or {}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/v3{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30, context=self._trust) as answer:
            text = answer.read()
            return answer.headers, json.loads(text) if text else None

    def answers(self):
        """Whether it is there."""
        try:
            self.call("GET", "/")
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    def login(self, user, project):
        """A new token of the user, scoped to the project, both of the default domain."""
        domain = {"id": "default"}
        password = {"user": {"name": user, "domain": domain, "password": PASSWORD}}
        identity = {"methods": ["password"], "password": password}
        scope = {"project": {"name": project, "domain": domain}}
        headers, _ = self.call("POST", "/auth/tokens", {"auth": {"identity": identity, "scope": scope}})
        return headers["X-Subject-Token"]

    def _make(self, kind, **fields):
        _, document = self.call("POST", f"/{kind}s", {kind: fields})
        return document[kind]["id"]

    def _ids(self, kind):
        _, document = self.call("GET", f"/{kind}s")
        return {found["name"]: found["id"] for found in document[f"{kind}s"]}

    def populate(self):
        """Makes projects, users with their roles, and completes the facts."""
        self._token = self.login("admin", "admin")
        roles, projects = self._ids("role"), self._ids("project")
        for name in PROJECTS:
            projects[name] = self._make("project", name=name, domain_id="default")
        users = {}
        for name, (project, held) in USERS.items():
            user = self._make("user", name=name, domain_id="default", password=PASSWORD)
            for role in held:
                self.call("PUT", f"/projects/{projects[project]}/users/{user}/roles/{roles[role]}")
            users[name] = {"id": user, "project": project, "project_id": projects[project], "roles": held}
        # The operator may also act on the whole system, and in the projects of others.
        admin = f"users/{users['operator']['id']}/roles/{roles['admin']}"
        for place in ("system", *(f"projects/{projects[name]}" for name in ("alpha", "beta"))):
            self.call("PUT", f"/{place}/{admin}")
        self.facts |= {"roles": roles, "projects": projects, "users": users, "services": {}}
        # The first validation of all takes long; a service under test has a deadline.
        self.call("GET", "/auth/tokens", more={"X-Subject-Token": self._token})

    def add_service(self, kind, url):
        """Puts a service of that type into the catalogue, at that URL for every interface."""
        service = self._make("service", name=f"zaqar-{kind}", type=kind)
        for interface in ("public", "internal", "admin"):
            self._make("endpoint", service_id=service, interface=interface, url=url, region_id=REGION)
        self.facts["services"][kind] = service


def _options(folder, provider):
    return {
        "DEFAULT": {"log_file": folder / "keystone.log"},
        "database": {"connection": f"sqlite:///{folder}/keystone.db"},
        "token": {"provider": provider},
        "fernet_tokens": {"key_repository": folder / "fernet-keys"},
        "fernet_receipts": {"key_repository": folder / "fernet-keys"},
        "credential": {"key_repository": folder / "credential-keys"},
        "jwt_tokens": {
            "jws_private_key_repository": folder / "jws-keys/private",
            "jws_public_key_repository": folder / "jws-keys/public",
        },
        # The cheapest hash there is: tests log in often.
        "identity": {"password_hash_algorithm": "bcrypt", "password_hash_rounds": 4},
        # Without it the validation of a token costs hundreds of SQL statements.
        "cache": {"enabled": "true", "backend": "oslo_cache.dict"},
        "oslo_policy": {"enforce_scope": "true", "enforce_new_defaults": "true"},
    }


def _tls(folder, venv, transport):
    """What gunicorn, our own calls, and whoever reads the facts need for the transport."""
    if transport == "http":
        return {}, None, {}
    subprocess.run([venv / "bin" / "python", CERTIFICATES, folder], check=True)
    paths = {name: str(folder / name) for name in ("ca.pem", "server.pem", "server.key", "client.pem", "client.key")}
    trust = ssl.create_default_context(cafile=paths["ca.pem"])
    facts = {"cafile": paths["ca.pem"]}
    settings = {"certfile": paths["server.pem"], "keyfile": paths["server.key"]}
    if transport == "mutual-tls":
        trust.load_cert_chain(paths["client.pem"], paths["client.key"])
        facts |= {"certfile": paths["client.pem"], "keyfile": paths["client.key"]}
        settings |= {"ca_certs": paths["ca.pem"], "cert_reqs": int(ssl.CERT_REQUIRED)}
    return settings, trust, facts


@contextlib.contextmanager
def keystone(folder, provider="fernet", options=None, transport="http"):
    """A Keystone that keeps everything in `folder`, for the time of the block.

    `provider` is that of its tokens: fernet or jws. `options` go on top of its configuration, {section: {option: value}}.
    `transport` is one of TRANSPORTS; the facts name the certificates.
    """
    folder = pathlib.Path(folder).absolute()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    venv = environment.environment(REQUIREMENTS)
    port = servers.free_port()
    tls, trust, certificates = _tls(folder / "tls", venv, transport)
    running = Keystone(f"http{'s' if tls else ''}://127.0.0.1:{port}", folder, provider, trust)
    running.facts |= certificates
    servers.write_ini(folder / "keystone.conf", servers.merged(_options(folder, provider), options or {}))
    wanted = {"bind": f"127.0.0.1:{port}", "auth_url": running.facts["auth_url"], "tls": tls}
    (folder / "wanted.json").write_text(json.dumps(wanted | {"password": PASSWORD, "region": REGION}))
    log = folder / "process.log"
    with servers.child([venv / "bin" / "python", "-B", PROCESS, folder], log, cwd=folder) as process:
        servers.wait_for(running.answers, process, log, seconds=60)
        running.populate()
        yield running
