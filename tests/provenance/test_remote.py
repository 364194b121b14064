"""What a web server tells of a file."""

from __future__ import annotations

import http.server
import threading

from tests.provenance.conftest import Look


class _Handler(http.server.BaseHTTPRequestHandler):
    seen: list[str]

    def do_HEAD(self) -> None:
        self.seen.append(f"{self.path} {self.headers.get('Authorization')}")
        self.send_response(404 if "none" in self.path else 200)
        self.send_header("ETag", '"abc"')
        self.send_header("Content-Length", "1234")
        self.send_header("Last-Modified", "Tue, 24 Nov 2026 00:00:00 GMT")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        del format, args


def test_headers_are_recorded_and_nothing_is_downloaded(look: Look) -> None:
    _Handler.seen = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        address = f"127.0.0.1:{server.server_address[1]}"
        state = look.observer.remote("data", f"http://ada:pw@{address}/x.csv?token=t").state
        missing = look.observer.remote("data", f"http://{address}/none").state
        server.shutdown()
        thread.join()
    assert dict(state.remote) == {
        "ETag": '"abc"',
        "Content-Length": "1234",
        "Last-Modified": "Tue, 24 Nov 2026 00:00:00 GMT",
    }
    assert (state.size, state.digest, state.kind) == (1234, None, "uri")
    assert state.path == f"http://{address}/x.csv?token=***"
    assert (missing.remote, missing.size) == ((), 0)
    assert _Handler.seen == ["/x.csv?token=t None", "/none None"]
