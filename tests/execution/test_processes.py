"""The process table is read alike by both readers, and a family knows its members."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from mlproj.execution import portable
from mlproj.execution.processes import Family, Table, read_proc

MIB = 1024 * 1024
READERS = pytest.mark.parametrize("read", [read_proc, portable.read], ids=["proc", "psutil"])


@READERS
def test_a_reader_tells_of_a_process(read: Callable[[], Table]) -> None:
    code = "import time; x = bytearray(30 * 2**20); sum(range(3_000_000)); print(flush=True); time.sleep(60)"
    with subprocess.Popen(
        (sys.executable, "-c", code), start_new_session=True, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        row = read()[child.pid]
        child.kill()
    assert (row.pid, row.parent, row.session, row.alive) == (child.pid, os.getpid(), child.pid, True)
    assert 30 * MIB < row.rss_bytes < 90 * MIB
    assert 0.01 < row.cpu_s < 10


@READERS
def test_a_process_that_nobody_waited_for_is_not_alive(read: Callable[[], Table]) -> None:
    child = subprocess.Popen(("true",))
    deadline = time.monotonic() + 5
    while read()[child.pid].alive and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not read()[child.pid].alive
    child.wait()


def test_a_family_follows_a_member_into_another_session() -> None:
    with subprocess.Popen(
        ("bash", "-c", "setsid sleep 60 >/dev/null & echo $!; read"),
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as shell:
        assert shell.stdout is not None and shell.stdin is not None
        away = int(shell.stdout.readline())
        deadline = time.monotonic() + 10
        while os.getsid(away) != away and time.monotonic() < deadline:
            time.sleep(0.01)
        family = Family(shell.pid)
        assert {member.pid for member in family.look()} == {shell.pid, away}
        shell.communicate(b"\n")
        assert {member.pid for member in family.look()} == {away}
        assert not family.has_session()
        os.kill(away, 9)


def test_parents_come_before_their_children() -> None:
    """As they are sent a signal: a shell that had it after its command would begin the next one."""
    command = "echo ready; read; true"
    for _ in range(4):
        command = f"bash -c {shlex.quote(command)}; true"
    with subprocess.Popen(
        ("bash", "-c", command), start_new_session=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as shell:
        assert shell.stdout is not None
        assert shell.stdout.readline() == b"ready\n"
        members = Family(shell.pid).look()
        assert [member.parent for member in members] == [os.getpid(), *(each.pid for each in members[:-1])]
        assert len(members) == 5
        shell.communicate(b"\n")
