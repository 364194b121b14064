"""Serves a run's endpoint, or nothing but empty answers, until its standard input ends.

A program of its own, so that what it takes is the server's alone, and not the benchmarks'.

    python -m tests.benchmarks.tracking_server FOLDER   a run's endpoint in a new store, artifacts through it
    python -m tests.benchmarks.tracking_server          nothing: what is left is the client's own time

It prints the address and the run's id.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

from mlproj.model.environment import Reach
from mlproj.server.endpoint import Endpoint
from mlproj.store.opening import open_store
from mlproj.wiring import part
from tests.store.runs import begun

_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def serve_store(folder: Path) -> None:
    store = open_store(folder, create=True)
    run = begun(store.blobs)
    with (
        store.begin(run),
        Endpoint(
            run.run_id,
            lambda: part("store.tracking.opening:open_tracking")(store),
            lambda: part("store.artifacts:FolderArtifacts")(store.root, store.root / "uploads"),
            reach=Reach(address="127.0.0.1", name="127.0.0.1"),
        ) as endpoint,
    ):
        print(endpoint.uri, run.run_id, flush=True)
        sys.stdin.read()


async def serve_nothing() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                await reader.readexactly(int(length[1]) if length else 0)
                writer.write(_ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "0" * 32, flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve_store(Path(sys.argv[1]))
    else:
        asyncio.run(serve_nothing())
