"""Two runs that write the same outputs wait for each other, and no others do."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mlproj.model.events import Event, Note
from mlproj.services.claims import claim

HOLDER = """
import pathlib, sys
from mlproj.services.claims import claim
with claim(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:], print):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(cache: Path, project: Path, *outputs: str) -> subprocess.Popen[bytes]:
    """Another process that holds the outputs until its standard input is closed."""
    holder = subprocess.Popen(
        (sys.executable, "-c", HOLDER, str(cache), str(project), *outputs),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    return holder


def waits(cache: Path, project: Path, *outputs: str) -> list[Event]:
    """Claims the outputs; what was reported while it waited, nothing where it did not."""
    events: list[Event] = []
    with claim(cache, project, outputs, events.append):
        return events


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project" / "sub").mkdir(parents=True)
    return tmp_path / "project"


@pytest.mark.parametrize(
    ("theirs", "folder", "ours"),
    [
        (("model.bin",), "", ("model.bin",)),
        (("a", "model.bin"), "", ("model.bin", "b")),
        (("results",), "", ("results/a.csv",)),
        (("results/a.csv",), "", ("results",)),
        (("results/",), "", ("./results",)),
        (("sub/x",), "sub", ("x",)),
        (("sub",), "sub", ("x",)),
    ],
)
def test_overlapping_outputs_wait_until_the_other_has_ended(
    tmp_path: Path, project: Path, theirs: tuple[str, ...], folder: str, ours: tuple[str, ...]
) -> None:
    with hold(tmp_path / "cache", project, *theirs) as holder:
        assert holder.stdin is not None
        threading.Timer(0.3, holder.stdin.close).start()
        began = time.monotonic()
        events = waits(tmp_path / "cache", project / folder, *ours)
        assert time.monotonic() - began > 0.2
    overlapping = next(output for output in ours if output != "b")
    assert events == [Note(message=f"waiting for another run that writes `{overlapping}`")]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (("model.bin",), ("other.bin",)),
        (("results/a.csv",), ("results/b.csv",)),
        (("results",), ("results2",)),
        (("model.bin",), ()),
        ((), ("model.bin",)),
    ],
)
def test_outputs_that_do_not_overlap_are_claimed_at_once(
    tmp_path: Path, project: Path, theirs: tuple[str, ...], ours: tuple[str, ...]
) -> None:
    with hold(tmp_path / "cache", project, *theirs) as holder:
        assert waits(tmp_path / "cache", project, *ours) == []
        assert holder.stdin is not None
        holder.stdin.close()


def test_a_holder_that_was_killed_holds_nothing(tmp_path: Path, project: Path) -> None:
    with hold(tmp_path / "cache", project, "model.bin") as holder:
        holder.kill()
        holder.wait()
        waits(tmp_path / "cache", project, "model.bin")


def test_a_run_inside_a_run_does_not_wait_for_the_outer_one(tmp_path: Path, project: Path) -> None:
    events: list[Event] = []
    with (
        claim(tmp_path / "cache", project, ("results", "model.bin"), events.append) as outer,
        claim(
            tmp_path / "cache", project, ("results/a", "own.bin"), events.append, inherited=outer.value
        ) as inner,
        claim(tmp_path / "cache", project, ("own.bin",), events.append, inherited=inner.value),
    ):
        assert events == []


def test_a_run_inside_a_run_still_claims_what_is_its_own(tmp_path: Path, project: Path) -> None:
    events: list[Event] = []
    with (
        claim(tmp_path / "cache", project, ("results",), events.append) as outer,
        hold(tmp_path / "cache", project, "own.bin") as holder,
    ):
        assert holder.stdin is not None
        threading.Timer(0.2, holder.stdin.close).start()
        with claim(tmp_path / "cache", project, ("own.bin",), events.append, inherited=outer.value):
            assert len(events) == 1


def test_many_runs_with_crossing_outputs_all_come_to_an_end(tmp_path: Path, project: Path) -> None:
    inside: list[str] = []
    overlaps: list[tuple[str, ...]] = []

    def work(*outputs: str) -> None:
        for _ in range(5):
            with claim(tmp_path / "cache", project, outputs, lambda event: None):
                inside.extend(outputs)
                if len(inside) != len(set(inside)):
                    overlaps.append(tuple(inside))
                time.sleep(0.002)
                for output in outputs:
                    inside.remove(output)

    pairs = [("a", "b"), ("b", "a"), ("b", "c"), ("c", "a")]
    threads = [threading.Thread(target=work, args=pair, daemon=True) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert not any(thread.is_alive() for thread in threads)
    assert overlaps == []
