from __future__ import annotations

import threading
import time

from msgspec.structs import replace

from mlproj.logs import mark
from mlproj.model.record import read_document, seal_document
from mlproj.model.run import LogFile, Run
from mlproj.services.logs import cut_logs, read_log
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


def test_a_record_of_before_there_were_limits_reads_as_one_of_whole_logs(run: Run) -> None:
    payload = seal_document(run)
    older = payload.replace(b'"cut":0,"cut_at":0,', b"")
    assert older.count(b'"cut') == 0 < payload.count(b'"cut')
    read = read_document(older, name=run.name)
    assert read.outcome == run.outcome and cut_logs(read) == ()


def test_what_was_cut_is_said_where_it_was_and_the_order_stays(store: FolderStore, run: Run) -> None:
    assert run.outcome is not None
    stdout = b"first\n" + mark(1000, open_line=False) + b"last\n"
    kept = {
        "stdout": (stdout, 1000, 6),
        "stderr": (b"warning\n", 0, 0),
        "times": (b"0.1 stdout 206\n0.2 stderr 8\n0.3 stdout 805\n", 0, 0),
    }
    logs = tuple(
        LogFile(name=name, digest=store.blobs.add_bytes(data), size=len(data), cut=cut, cut_at=cut_at)
        for name, (data, cut, cut_at) in kept.items()
    )
    cut = replace(run, outcome=replace(run.outcome, logs=logs))
    assert [(piece.stream, piece.data) for piece in read_log(store, cut)] == [
        ("stdout", b"first\n"),
        ("stdout", b"[mlproj: 1,000 bytes were not kept here]\n"),
        ("stderr", b"warning\n"),
        ("stdout", b"last\n"),
    ]
    assert [log.name for log in cut_logs(cut)] == ["stdout"]


def test_one_who_follows_sees_what_was_gone_before_it_could_be_read(store: FolderStore) -> None:
    run = begun(store.blobs)
    logs = store.workspace(run.run_id) / "logs"
    (logs / "stdout.tail").mkdir(parents=True)
    (logs / "stdout").write_bytes(b"open")
    (logs / "stdout.tail" / "1004").write_bytes(b"end\n")
    with store.begin(run):
        assert [piece.data for piece in read_log(store, run, "stdout")] == [
            b"open",
            b"\n[mlproj: 1,000 bytes were not kept here]\n",
            b"end\n",
        ]
