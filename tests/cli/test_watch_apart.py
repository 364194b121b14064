"""`mlproj watch` over a network: a store at a server, data at one, and two machines that watch the same."""

from __future__ import annotations

import contextlib
import http.server
import os
import threading
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from mlproj.cli.watch_desk import RegistryDesk
from mlproj.model.events import Event, Note
from mlproj.model.trigger import Trigger
from mlproj.services.watching import Round
from mlproj.store_ports import RunQuery
from tests.cli.test_watch import (
    DELIVERING,
    LISTENER,
    ONCE,
    Shop,
    shop,
    trigger_of,
    watching_for,
)
from tests.remote.store.serving import serving

__all__ = ["shop"]


def test_a_store_at_a_server_is_watched_for(shop: Shop, tmp_path: Path) -> None:
    with serving(tmp_path / "server") as (uri, store):
        at = {"MLPROJ_STORE": uri}
        first = shop(*ONCE, *DELIVERING, "--json", **at)
        assert first.code == 0, first.stderr
        assert shop(*ONCE, *DELIVERING, **at).code == 8
        # another machine has nothing but the store
        elsewhere = {**at, "MLPROJ_CACHE_DIR": str(tmp_path / "other")}
        assert shop(*ONCE, *DELIVERING, **elsewhere).code == 8
        (run,) = store.search(RunQuery())
        assert run.job is not None and run.job.trigger is not None
        assert run.run_id == first.document["run"]["run_id"]
        store.hide(run.run_id)
        assert shop(*ONCE, **at).code == 8
        assert shop("models", "delete", "wine", "--all-versions", **at).code == 0
        store.housekeeper.forget((run.run_id,), who="ada", why="it was a trial")
        assert shop(*ONCE, **at).code == 0
        unknown = shop("watch", ".", "--once", "--on-metric", "x > 1", "--of", "nothing", **at)
        assert unknown.code == 5 and "there is no experiment `nothing`" in unknown.stderr


def test_data_at_a_server_is_known_by_what_that_tells(shop: Shop) -> None:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=shop.folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            table = f"table=http://127.0.0.1:{server.server_port}/data.csv"
            assert [shop(*ONCE, "-P", table).code for _ in range(2)] == [0, 8]
            os.utime(shop.folder / "data.csv", (1, 1))
            changed = shop(*ONCE, "-P", table, "--json")
            assert [cause["after"] for cause in trigger_of(changed)["causes"]] == [
                "Last-Modified Thu, 01 Jan 1970 00:00:01 GMT, Content-Length 2"
            ]
            assert shop(*ONCE, "-P", table).code == 8
        finally:
            server.shutdown()
            thread.join()
    gone = shop(*ONCE, "-P", table)
    assert gone.code == 3 and "nobody answers there" in gone.stderr


def test_of_two_machines_one_begins_the_run(shop: Shop, tmp_path: Path) -> None:
    with serving(tmp_path / "server") as (uri, store):
        here, there = (
            {"MLPROJ_STORE": uri, "MLPROJ_CACHE_DIR": str(tmp_path / name)} for name in ("here", "there")
        )

        def is_faster(_trigger: Trigger) -> None:
            assert shop(*ONCE, "--name", "mine", **there).code == 0

        told: list[Event] = []
        listener = replace(
            LISTENER, triggered=is_faster, reporting=lambda: contextlib.nullcontext(told.append)
        )
        with watching_for(shop, uri, RegistryDesk(uri), environ={**os.environ, **here}) as watcher:
            assert watcher.round(listener, once=True) == Round()
            assert [event.message for event in told if isinstance(event, Note)] == [
                f"another machine began the run: `{run.name}` ({run.run_id[:8]})"
                for run in store.search(RunQuery())
            ]
            assert watcher.look(store, once=True)[1] is None
