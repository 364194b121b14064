"""Output beyond measure: what is kept of it, in which order, and that neither disk nor order suffers."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.execution.local import LocalExecutor
from mlproj.execution.recording import LEAST_SEGMENT, Recorder
from mlproj.logs import KeptStream, gather, mark, stretches
from mlproj.model.events import ChildOutput, Event
from tests.execution.conftest import Bench

KIB, MIB = 1024, 1024 * 1024
PYTHON = sys.executable


def silent(_event: Event) -> None:
    pass


def on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def numbers(count: int) -> bytes:
    return b"".join(b"%d\n" % number for number in range(1, count + 1))


def within(bench: Bench, command: str, limit: int) -> None:
    LocalExecutor(terminal=(False, False), log_limit=limit).execute(bench.task(command), bench.events.append)


def test_of_a_long_stream_both_ends_are_kept_and_the_line_between_says_so(bench: Bench) -> None:
    within(bench, "seq 300000; seq 5 >&2", 200_000)
    written = numbers(300_000)
    kept = gather(bench.directory / "logs" / "stdout")
    assert (kept.cut, kept.cut_at) == (len(written) - 200_000, 100_000)
    line = f"[mlproj: {len(written) - 200_000:,} bytes were not kept here]\n".encode()
    assert kept.path.read_bytes() == written[:100_000] + b"\n" + line + written[-100_000:]
    assert bench.reported("stdout") == written
    assert gather(bench.directory / "logs" / "stderr").path.read_bytes() == bench.log("stderr") == numbers(5)


def test_a_stream_of_just_the_limit_is_kept_whole(bench: Bench) -> None:
    within(bench, "seq 100000", len(numbers(100_000)))
    kept = gather(bench.directory / "logs" / "stdout")
    assert (kept.path.read_bytes(), kept.cut) == (numbers(100_000), 0)


def test_the_disk_holds_little_more_than_the_limit_while_the_child_prints(bench: Bench) -> None:
    logs, most = bench.task("").logs, 0

    def report(event: Event) -> None:
        nonlocal most
        most = max(most, on_disk(logs))

    LocalExecutor(terminal=(False, False), log_limit=4 * MIB).execute(
        bench.task("head -c 100M /dev/zero"), report
    )
    assert 4 * MIB < most < 6 * MIB


@given(
    pieces=st.lists(st.binary(max_size=40), max_size=30),
    limit=st.integers(0, 200),
    reads=st.lists(st.integers(0, 90), max_size=20),
    offset=st.integers(0, 500),
)
def test_whatever_the_pieces_the_two_ends_are_kept_and_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    pieces: list[bytes],
    limit: int,
    reads: list[int],
    offset: int,
) -> None:
    logs = tmp_path_factory.mktemp("logs")
    with Recorder(logs, silent, limit, segment=16) as recorder:
        for number, data in enumerate(pieces):
            recorder.add("stdout", data, number)
    written, half = b"".join(pieces), (limit + 1) // 2
    kept = gather(logs / "stdout")
    if len(written) <= 2 * half:
        expected = written
    else:
        head, cut = written[:half], len(written) - 2 * half
        open_line = head != b"" and not head.endswith(b"\n")
        expected = head + mark(cut, open_line=open_line) + written[len(written) - half :]
    assert kept.path.read_bytes() == expected
    assert gather(logs / "stdout") == kept
    assert kept.cut + (half + half if kept.cut else len(written)) == len(written)
    with kept.path.open("rb") as file:
        stream = KeptStream(file, cut=kept.cut, cut_at=kept.cut_at)
        assert b"".join([b"".join(stream.read(length)) for length in reads] + [*stream.rest()]) == expected
        late = KeptStream(file, cut=kept.cut, cut_at=kept.cut_at, offset=kept.cut_at + kept.cut)
        assert b"".join(late.rest()) == written[kept.cut_at + kept.cut :]
    seen = 0
    for at, data in stretches(logs / "stdout", offset):
        assert at >= max(seen, offset) and written[at : at + len(data)] == data
        seen = at + len(data)
    assert seen == (len(written) if offset < len(written) else 0)


ALTERNATING = """
import sys
import time
for number in range(20000):
    print(number, flush=True)
    print(number, flush=True, file=sys.stderr)
"""


def test_the_times_do_not_grow_with_the_pieces(bench: Bench) -> None:
    bench.run(f"{PYTHON} -uc 'for number in range(200000): print(number)'")
    lines = bench.log("times").splitlines()
    assert sum(int(line.split()[2]) for line in lines) == len(bench.log("stdout"))
    assert len(lines) < 20_000


def test_the_order_of_two_streams_is_kept_in_a_storm(bench: Bench) -> None:
    (bench.directory / "child.py").write_text(ALTERNATING)
    bench.run(f"{PYTHON} child.py")
    places = {"stdout": 0, "stderr": 0}
    for line in bench.log("times").decode().splitlines():
        _, stream, length = line.split()
        places[stream] += int(length)
        # What a pipe holds is the most by which one can be ahead of the other.
        assert abs(places["stdout"] - places["stderr"]) <= 256 * KIB + 16
    assert places == {name: len(bench.log(name)) for name in places}
    assert bench.log("stdout") == bench.log("stderr") == bench.reported("stdout") == bench.reported("stderr")


def test_lines_of_two_streams_that_follow_each_other_at_once_stay_in_order(bench: Bench) -> None:
    burst = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo $i; done"
    bench.run(f"{burst}; sleep 0.05; echo end; sleep 0.05; echo error >&2; sleep 0.05; {burst}")
    order = [line.split()[1] for line in bench.log("times").decode().splitlines()]
    assert [name for name, before in zip(order, ["", *order], strict=False) if name != before] == [
        "stdout",
        "stderr",
        "stdout",
    ]


def test_times_that_take_too_much_room_end_early_and_the_logs_are_whole(tmp_path: Path) -> None:
    with Recorder(tmp_path, silent, 8 * LEAST_SEGMENT) as recorder:
        for number in range(5000):
            recorder.add("stdout", b"out\n", number)
            recorder.add("stderr", b"err\n", number)
    lines = (tmp_path / "times").read_text().splitlines()
    assert LEAST_SEGMENT - 30 < (tmp_path / "times").stat().st_size <= LEAST_SEGMENT
    assert lines == [f"{n // 2:.6f} {('stdout', 'stderr')[n % 2]} 4" for n in range(len(lines))]
    assert (tmp_path / "stdout").read_bytes() == b"out\n" * 5000


def test_what_comes_in_a_row_is_shown_within_a_moment(bench: Bench) -> None:
    """A prompt without a newline is there while the child waits for the answer, however much came before."""
    code = "import time\nfor number in range(3000): print(number, flush=True)\n"
    code += "print('name? ', end='', flush=True); time.sleep(1.5)"
    (bench.directory / "child.py").write_text(code)
    arrived: list[tuple[float, bytes]] = []

    def report(event: Event) -> None:
        assert isinstance(event, ChildOutput)
        arrived.append((time.monotonic(), event.data))

    LocalExecutor(terminal=(False, False)).execute(bench.task(f"{PYTHON} child.py"), report)
    moment, data = arrived[-1]
    assert data.endswith(b"name? ") and time.monotonic() - moment > 1


def test_a_disk_that_is_full_at_the_end_keeps_the_head(bench: Bench) -> None:
    within(bench, "seq 100000", 100_000)
    log = bench.directory / "logs" / "stdout"
    (log.parent / "stdout.whole").symlink_to("/dev/full")
    kept = gather(log)
    written = numbers(100_000)
    assert (kept.path, kept.cut, kept.cut_at) == (log, len(written) - 50_000, 50_000)
    assert log.read_bytes() == written[:50_000] + mark(len(written) - 50_000, open_line=True)
