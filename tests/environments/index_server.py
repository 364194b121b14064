"""A package index on loopback, in PEP 691's notation with or without upload times, or as plain pages."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import io
import json
import threading
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_METADATA = "Metadata-Version: 2.1\n"
_WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"

JSON = "application/vnd.pypi.simple.v1+json"


@dataclass(frozen=True, kw_only=True)
class Release:
    """A version of a package with no code, and the moment it came; None where the index does not tell."""

    name: str
    version: str
    uploaded: str | None
    needs: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        return f"{self.name}-{self.version}-py3-none-any.whl"

    @property
    def content(self) -> bytes:
        folder, held = f"{self.name}-{self.version}.dist-info", io.BytesIO()
        needs = "".join(f"Requires-Dist: {need}\n" for need in self.needs)
        files = {
            f"{self.name}.py": f"version = {self.version!r}\n",
            f"{folder}/METADATA": f"{_METADATA}Name: {self.name}\nVersion: {self.version}\n{needs}",
            f"{folder}/WHEEL": _WHEEL,
            f"{folder}/RECORD": "",
        }
        with zipfile.ZipFile(held, "w") as wheel:
            for name, text in files.items():
                wheel.writestr(zipfile.ZipInfo(name), text)
        return held.getvalue()


@contextlib.contextmanager
def serving(releases: tuple[Release, ...], *, as_json: bool = True) -> Iterator[str]:
    """The address of an index that has these, for the length of the `with`."""
    files = {release.file: release.content for release in releases}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            kind, _, name = self.path.strip("/").partition("/")
            own = [release for release in releases if release.name == name]
            if kind == "files" and name in files:
                self._send(files[name], "application/octet-stream")
            elif kind == "simple" and own:
                page = _json(own, files) if as_json else _html(own)
                self._send(page.encode(), JSON if as_json else "text/html")
            else:
                self.send_error(404)

        def _send(self, content: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with contextlib.ExitStack() as stack:
        server = stack.enter_context(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=server.serve_forever).start()
        stack.callback(server.shutdown)
        yield f"http://127.0.0.1:{server.server_address[1]}/simple/"


def _json(releases: list[Release], files: Mapping[str, bytes]) -> str:
    entries = []
    for release in releases:
        digest = hashlib.sha256(files[release.file]).hexdigest()
        entry: dict[str, object] = {
            "filename": release.file,
            "url": f"/files/{release.file}",
            "hashes": {"sha256": digest},
            "size": len(files[release.file]),
        }
        entries.append(entry | ({"upload-time": release.uploaded} if release.uploaded else {}))
    versions = [release.version for release in releases]
    meta = {"api-version": "1.1"}
    return json.dumps({"meta": meta, "name": releases[0].name, "versions": versions, "files": entries})


def _html(releases: list[Release]) -> str:
    links = "".join(f'<a href="/files/{item.file}">{item.file}</a>' for item in releases)
    return f"<!DOCTYPE html><html><body>{links}</body></html>"
