"""Runs inside runs whose outputs cross: one of them is refused with a sentence, and none waits for ever."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import LOCAL, Start, written
from tests.conftest import ProjectMaker

CROSSING = """\
entry_points:
  a:
    outputs: [a.txt]
    command: 'echo a > a.txt; touch a.begun; until [ -e b.begun ]; do sleep 0.05; done; {nested} -e b1'
  b:
    outputs: [b.txt]
    command: 'echo b > b.txt; touch b.begun; until [ -e a.begun ]; do sleep 0.05; done; {nested} -e a1'
  a1:
    outputs: [a.txt]
    command: echo a1 > a.txt
  b1:
    outputs: [b.txt]
    command: echo b1 > b.txt
  c:
    outputs: [c.txt]
    command: 'echo c > c.txt; {nested} -e b1'
"""


def test_of_two_runs_whose_inner_runs_wait_for_each_other_one_is_refused(
    make_project: ProjectMaker, start: Start, tmp_path: Path
) -> None:
    nested = tmp_path / "nested"
    nested.write_text(f'#!/bin/sh\nexec python3 -m mlproj run . {" ".join(LOCAL)} "$@"\n')
    nested.chmod(0o755)
    project = make_project({"MLproject": CROSSING.replace("{nested}", str(nested))})
    outer = [start("run", ".", "-e", entry, *LOCAL, cwd=project) for entry in ("a", "b")]
    told = [process.communicate(timeout=60)[0].decode() for process in outer]
    refused = [text for text in told if "error: the run would wait for ever: who writes `" in text]
    assert len(refused) == 1 and "hint: start one of them when the other has ended" in refused[0]
    # The other one was waiting, and went on once the refused one's outer run had ended.
    assert sorted(process.returncode for process in outer) == [0, 1]
    first = written(project / "a.txt").strip(), written(project / "b.txt").strip()
    assert first in (("a", "b1"), ("a1", "b"))
    last = start("run", ".", "-e", "c", *LOCAL, cwd=project)
    assert last.wait(timeout=60) == 0 and written(project / "b.txt") == "b1\n"
