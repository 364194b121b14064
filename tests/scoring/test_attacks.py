"""Clients that want the server to wait, to hold, or to make more than they send: everybody else is served."""

from __future__ import annotations

import contextlib
import json
import re
import resource
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.mlflow_clients import ENDS, ClientPython
from tests.scoring.conftest import Models
from tests.scoring.making import make_odd
from tests.scoring.servers import ROWS, connected, head, program, raw, serving, started_for

STALLED = ("--stalled", "2")
"""Two seconds are waited for whoever stands still."""
SPARSE = json.dumps({"dataframe_records": [{str(number): 1} for number in range(4000)]}).encode()
SHORT = (",".join(map(str, range(4000))) + "\n" + "1\n" * 4000).encode()
"""A CSV of which each line lacks nearly all that the first one names: pandas takes that for empty cells."""


def peak(process: psutil.Process) -> int:
    """The most memory that a process ever held, in KiB."""
    found = re.search(r"VmHWM:\s*(\d+)", Path(f"/proc/{process.pid}/status").read_text())
    assert found is not None
    return int(found[1])


def posted(address: str, body: bytes, kind: str = "application/json") -> bytes:
    return raw(address, head(len(body), kind=kind) + body)


def is_served(address: str) -> bool:
    """Whether a request of its own gets its answer, in a form that every MLflow reads."""
    return posted(address, b'{"inputs": {"a": [1.5], "b": [1], "c": ["u"]}}').startswith(b"HTTP/1.1 200 ")


def is_let_go(connection: socket.socket) -> bool:
    """Whether the server closes it; half a minute is waited."""
    with contextlib.suppress(ConnectionError):
        while connection.recv(65536):
            pass
    return True


@pytest.fixture
def many_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, before[1]), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("line", [*ENDS, "plain", "nameless"])
def test_few_bytes_make_no_large_table(
    line: str, client_python: ClientPython, models: Models, plain_model: Path, tmp_path: Path
) -> None:
    """Where mlflow reads the input, where the model names its columns, and where it takes any."""
    model = {"plain": plain_model, "nameless": tmp_path / "odd.pkl"}.get(line) or models(line)
    python = client_python(line if line in ENDS else "3")
    if line == "nameless":
        make_odd(python, model, "pass")
    with serving(program(python, model), tmp_path / "log") as found:
        assert is_served(found)
        (worker,) = started_for(model).children()
        before = peak(worker)
        for body, kind in ((SPARSE, "application/json"), (SHORT, "text/csv")):
            begun = time.monotonic()
            answer = posted(found, body, kind)
            assert answer.startswith(b"HTTP/1.1 400 ") and b"BAD_REQUEST" in answer
            assert len(answer) < 5000 and time.monotonic() - begun < 5
        assert is_served(found)
        assert peak(worker) - before < 60 * 1024


@pytest.mark.parametrize("begun", [b"POST /invo", head(100), head(100) + b"{"])
def test_clients_that_send_nothing_more_keep_nobody_out(
    begun: bytes, client_python: ClientPython, plain_model: Path, tmp_path: Path, many_files: None
) -> None:
    """As many as a process has at most, each with the beginning of a request."""
    with (
        serving(program(client_python("3"), plain_model), tmp_path / "log") as found,
        contextlib.ExitStack() as held,
    ):
        for number in range(1010):
            held.enter_context(connected(found)).sendall(begun)
            if number % 200 == 199:
                # What has come so far is read before more comes.
                time.sleep(0.5)
        for _ in range(3):
            assert is_served(found)


def test_a_body_that_does_not_come_is_waited_for_a_while(
    client_python: ClientPython, plain_model: Path, tmp_path: Path
) -> None:
    """One that comes slowly is taken."""
    lines = [b"a,b,c\n", *[b"1.0,1,u\n" * 200] * 10]
    with (
        serving(program(client_python("3"), plain_model, *STALLED), tmp_path / "log") as found,
        connected(found) as silent,
        connected(found) as slow,
        connected(found) as refused,
    ):
        refused.sendall(head(9).replace(b"Content-Length: 9", b"Transfer-Encoding: chunked") + b"zz\r\n")
        silent.sendall(head(100) + b"{")
        slow.sendall(head(sum(map(len, lines)), kind="text/csv"))
        for piece in lines:
            slow.sendall(piece)
            time.sleep(0.4)
        assert slow.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert refused.recv(65536).startswith(b"HTTP/1.1 400 ")
        begun = time.monotonic()
        assert is_let_go(silent) and time.monotonic() - begun < 5


def test_an_answer_that_is_not_taken_is_not_kept(client_python: ClientPython, tmp_path: Path) -> None:
    """One that is taken slowly comes whole."""
    python, model = client_python("3"), tmp_path / "talking.pkl"
    make_odd(python, model, "return [1.0] * 3_000_000")
    size = len(json.dumps({"predictions": [1.0] * 3_000_000}))
    with (
        serving(program(python, model, *STALLED), tmp_path / "log") as found,
        connected(found, buffer=4096) as unread,
        connected(found, buffer=4096) as slow,
    ):
        for connection in (unread, slow):
            connection.sendall(head(len(ROWS)) + ROWS)
        taken, end = bytearray(), time.monotonic() + 6
        while time.monotonic() < end:
            taken += slow.recv(16384)
            time.sleep(0.05)
        while piece := slow.recv(1024 * 1024):
            taken += piece
        assert len(taken) - taken.index(b"\r\n\r\n") - 4 == size
        (worker,) = started_for(model).children()
        deadline = time.monotonic() + 30
        while unread.getsockname() in {held.raddr for held in worker.net_connections("tcp")}:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        left = 0
        with contextlib.suppress(ConnectionError):
            while piece := unread.recv(1024 * 1024):
                left += len(piece)
        assert left < size


def scored(address: str, value: int) -> bytes:
    """The beginning of the answer for one cell."""
    return posted(address, b'{"inputs": [[%d]]}' % value)[:12]


def all_held(address: str) -> None:
    """As many requests as a process has threads, each of which takes longer than an answer may."""
    with ThreadPoolExecutor(4) as crowd:
        found = list(crowd.map(lambda _: scored(address, 9), range(4)))
    assert found == [b"HTTP/1.1 504"] * 4


def test_a_process_that_what_was_given_up_holds_for_good_has_a_successor(
    client_python: ClientPython, tmp_path: Path
) -> None:
    python, model, log = client_python("3"), tmp_path / "stuck.pkl", tmp_path / "log"
    make_odd(python, model, "time.sleep(600 if rows[0][0] > 5 else 0)")
    with serving(program(python, model, "--timeout", "2", *STALLED), log) as found:
        assert scored(found, 1) == b"HTTP/1.1 200"
        (before,) = started_for(model).children()
        all_held(found)
        refused = posted(found, b'{"inputs": [[1]]}')
        assert refused.startswith(b"HTTP/1.1 503 ") and b"retry-after: 1" in refused
        assert raw(found, b"GET /ping HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 ")
        deadline = time.monotonic() + 60
        while scored(found, 1) != b"HTTP/1.1 200":
            assert time.monotonic() < deadline
            time.sleep(0.2)
        (after,) = started_for(model).children()
        assert after != before and not before.is_running()
        assert "requests that were given up hold a process" in log.read_text()


def test_a_process_stays_where_what_was_given_up_ends_by_and_by(
    client_python: ClientPython, tmp_path: Path
) -> None:
    python, model = client_python("3"), tmp_path / "late.pkl"
    make_odd(python, model, "time.sleep(4 if rows[0][0] > 5 else 0)")
    with serving(program(python, model, "--timeout", "3", *STALLED), tmp_path / "log") as found:
        (before,) = started_for(model).children()
        all_held(found)
        assert scored(found, 1) == b"HTTP/1.1 503"
        time.sleep(4)
        assert scored(found, 1) == b"HTTP/1.1 200"
        assert started_for(model).children() == [before]


@pytest.mark.parametrize(
    "cell", [b"9" * 400, b"9" * 4200, b"9" * 5000, b"[" * 500 + b"]" * 500, b"[" * 5000 + b"]" * 5000]
)
@pytest.mark.parametrize("line", [*ENDS, "plain", "nameless"])
def test_cells_that_go_too_far_are_their_senders_fault(
    line: str, cell: bytes, reading: dict[str, str]
) -> None:
    for form in (b'{"dataframe_records": [{"a": 1.5, "b": %s, "c": "u"}]}', b'{"inputs": [[1.5, %s, "u"]]}'):
        answer = posted(reading[line], form % cell)
        assert answer.startswith(b"HTTP/1.1 400 ") or (line == "nameless" and is_echo(answer, cell)), answer
    assert is_served(reading[line])


def is_echo(answer: bytes, cell: bytes) -> bool:
    """Whether a model that gives back what it takes could do so."""
    return answer.startswith(b"HTTP/1.1 200 ") and cell in answer


@pytest.fixture(scope="module")
def reading(
    client_python: ClientPython,
    models: Models,
    plain_model: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, str]]:
    """The addresses of models that read their input in one way each."""
    folder = tmp_path_factory.mktemp("reading")
    make_odd(client_python("3"), folder / "echo.pkl", "return rows")
    served = {line: (client_python(line), models(line)) for line in ENDS}
    served["plain"] = (client_python("3"), plain_model)
    served["nameless"] = (client_python("3"), folder / "echo.pkl")
    with contextlib.ExitStack() as stack:
        yield {
            name: stack.enter_context(serving(program(python, model), folder / name))
            for name, (python, model) in served.items()
        }


def test_a_caller_is_not_told_where_the_server_has_its_files(reading: dict[str, str]) -> None:
    body = ROWS.replace(b'"u"', b'"never seen"')
    told = json.loads(posted(reading["plain"], body).partition(b"\r\n\r\n")[2])
    assert told["error_code"] == "BAD_REQUEST" and "never seen" in told["message"]
    trace = told["stack_trace"]
    assert 'File "without_mlflow.py", line ' in trace and 'File "sklearn/' in trace
    assert trace.splitlines()[-1].startswith("ValueError: ") and 'File "/' not in trace
