"""The identity service that clients of Rackspace's cloud know (version 2.0, with keys in the place of passwords), before a
Keystone: it hands out Keystone's tokens."""

import contextlib
import http.server
import json
import threading


@contextlib.contextmanager
def identity(login):
    """Its URL, for the time of the block; `login` makes a token of a user's name."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            user = asked["auth"]["RAX-KSKEY:apiKeyCredentials"]["username"]
            access = {"token": {"id": login(user)}, "user": {"id": user, "name": user, "roles": []}, "serviceCatalog": []}
            body = json.dumps({"access": access}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v2.0"
        finally:
            server.shutdown()
            thread.join()
