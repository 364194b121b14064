"""A server that speaks S3, in a process of its own on loopback: moto's, which keeps everything in memory."""

from __future__ import annotations

import contextlib
import http.client
import secrets
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

from mlproj.process import stop

_PROGRAM = """
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *told):
        pass


application = DomainDispatcherApplication(create_backend_app)
server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet)
print(server.server_port, flush=True)
server.serve_forever()
"""


class S3Server:
    """The server at a port of this machine."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.variables = {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "MLFLOW_S3_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        }

    def bucket(self) -> str:
        """The URL of a place in a new bucket."""
        name = f"b{secrets.token_hex(8)}"
        self._asked("PUT", f"/{name}")
        return f"s3://{name}/team/mlproj"

    def unfinished(self, url: str) -> int:
        """How many uploads in parts are going on in the bucket of a URL."""
        return self._asked("GET", f"/{urlsplit(url).netloc}?uploads").count(b"<UploadId>")

    def _asked(self, method: str, path: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path)
            answer = connection.getresponse()
            told = answer.read()
            assert answer.status == 200, told
        return told


@contextlib.contextmanager
def s3_server() -> Iterator[S3Server]:
    """For the length of the `with` a server is there; its `variables` are what clients find it by."""
    command = (sys.executable, "-W", "ignore", "-c", _PROGRAM)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield S3Server(int(process.stdout.readline()))
        finally:
            stop(process, patience=10)
