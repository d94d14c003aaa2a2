"""pytest plugin: python-zaqarclient's own functional tests put their pools into $POOL_URI.

The tests name a MongoDB on its usual port, which is not there. What they send and read is changed on the way; the tests
are as they are.
"""

import os

from zaqarclient.transport import http

MONGODB = "mongodb://127.0.0.1:27017"


def pytest_configure():
    """Changes the transport of the tests."""
    uri, send = os.environ["POOL_URI"], http.HttpTransport.send

    def elsewhere(self, request):
        if request.content:
            request.content = request.content.replace(MONGODB, uri)
        answer = send(self, request)
        answer.content = answer.content.replace(uri, MONGODB)
        return answer

    http.HttpTransport.send = elsewhere
