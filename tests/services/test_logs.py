from __future__ import annotations

import threading
import time

from msgspec.structs import replace

from mlproj.model.run import Run
from mlproj.services.logs import read_log
from mlproj.store.folder import FolderStore
from tests.store.runs import begun, ended


def test_logs_come_in_the_order_in_which_they_were_written(store: FolderStore, run: Run) -> None:
    assert [(piece.stream, piece.data) for piece in read_log(store, run)] == [
        ("stdout", b"training\n"),
        ("stderr", b"warning\n"),
        ("stdout", b"loss 1\n"),
    ]
    assert b"".join(piece.data for piece in read_log(store, run, "stderr")) == b"warning\n"


def test_logs_without_times_are_whole_all_the_same(store: FolderStore, run: Run) -> None:
    assert run.outcome is not None
    outcome = replace(run.outcome, logs=run.outcome.logs[:2])
    assert [piece.data for piece in read_log(store, replace(run, outcome=outcome))] == [
        b"training\nloss 1\n",
        b"warning\n",
    ]


def test_a_log_is_followed_until_the_run_has_ended(store: FolderStore) -> None:
    run = begun(store.blobs)
    logs = store.workspace(run.run_id) / "logs"
    logs.mkdir()
    log = logs / "stdout"

    def write() -> None:
        with store.begin(run):
            started.set()
            for line in (b"training\n", b"loss 1\n"):
                with log.open("ab") as file:
                    file.write(line)
                time.sleep(0.2)
            store.seal(ended(store.blobs, run))

    started = threading.Event()
    writer = threading.Thread(target=write)
    writer.start()
    started.wait()
    pieces = list(read_log(store, store.find(run.run_id), follow=True))
    writer.join()
    assert b"".join(piece.data for piece in pieces if piece.stream == "stdout") == b"training\nloss 1\n"
    assert b"".join(piece.data for piece in pieces if piece.stream == "stderr") == b"warning\n"


def test_without_following_only_what_is_there_is_read(store: FolderStore) -> None:
    run = begun(store.blobs)
    logs = store.workspace(run.run_id) / "logs"
    logs.mkdir()
    (logs / "stdout").write_bytes(b"so far")
    with store.begin(run):
        assert [piece.data for piece in read_log(store, run)] == [b"so far"]
