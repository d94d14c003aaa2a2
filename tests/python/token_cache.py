#!/usr/bin/env python3
"""Python's keystonemiddleware as a neighbour on the same memcached: `token_cache.py OPTIONS`, in JSON.

Makes its virtual environment when it is missing. For each line on standard input one on standard output:
{"token": T} sends a request with that token through the middleware, which has only its cache to ask; with "document"
beside it the identity service is there and describes the token so. The answer is what the request came to: its status,
and the user, project and roles that the application saw. It ends when standard input is closed.
"""

import json
import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements-cloud.txt"


def neighbour(options):
    """The middleware and its identity service, a function that may be replaced."""
    from keystonemiddleware import auth_token
    from keystonemiddleware.auth_token import _exceptions

    def application(environ, start):
        seen = {name: environ.get(f"HTTP_X_{name.upper()}") for name in ("user_id", "project_id", "roles", "service_catalog")}
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(seen).encode()]

    class Nobody:
        www_authenticate_uri = "http://identity.invalid"

        def verify_token(self, token, **_):
            raise _exceptions.ServiceError("nobody is there")

        def invalidate(self):
            pass

    middleware = auth_token.AuthProtocol(application, options)
    middleware._identity_server = Nobody()
    return middleware


def answered(middleware, asked):
    """What became of a request."""
    import webob
    from keystoneclient import access

    service = middleware._identity_server
    if "document" in asked:
        # As the middleware gets it from its client library.
        described = access.AccessInfo.factory(auth_token=asked["token"], body=json.loads(asked["document"]))
        service.verify_token = lambda token, **_: {"token": described}
    try:
        answer = webob.Request.blank("/", headers={"X-Auth-Token": asked["token"]}).get_response(middleware)
    finally:
        service.__dict__.pop("verify_token", None)
    seen = json.loads(answer.body) if answer.status_int == 200 else {}
    return {"status": answer.status_int, **seen}


def main():
    middleware = neighbour(json.loads(sys.argv[1]))
    for line in sys.stdin:
        print(json.dumps(answered(middleware, json.loads(line))), flush=True)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    if os.environ.get("ZAQAR_TEST_NEIGHBOUR"):
        main()
    else:
        sys.path.insert(0, str(HERE))
        import environment

        python = environment.environment(REQUIREMENTS) / "bin/python"
        os.execve(python, [python, "-B", __file__, *sys.argv[1:]], os.environ | {"ZAQAR_TEST_NEIGHBOUR": "1"})
