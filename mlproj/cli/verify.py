"""`mlproj verify`: whether what was recorded is still what was recorded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from mlproj import wiring
from mlproj.cli.controls import printable
from mlproj.cli.documents import print_document
from mlproj.cli.options import JsonOption, StoreOption
from mlproj.cli.terminal import reporting, say
from mlproj.cli.words import counted, size
from mlproj.errors import Altered
from mlproj.services.bundle_verification import is_bundle, verify_bundle
from mlproj.services.verify import Problem
from mlproj.services.verify import verify as check_records
from mlproj.settings import limits

_MOST_REMOVED = 20
"""So many removed runs are told one by one."""

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def verify(
    run: Annotated[
        str | None,
        typer.Argument(metavar="RUN|BUNDLE", help="Check the content of this run alone, or a bundle's file."),
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Check digests and chain of what was recorded, or a bundle, and name what was altered.

    Ends with 7 where anything is not what was sealed.
    """
    if run is not None and is_bundle(Path(run)):
        return _verify_bundle(Path(run), as_json)
    records = wiring.existing_store(store)
    with reporting() as report:
        found = check_records(records, None if run is None else records.find(run), report)
    if as_json:
        print_document({"schema": "mlproj/verify/1", "sound": found.sound, "verification": found})
        return 0 if found.sound else Altered.exit_code
    for problem in found.problems:
        typer.echo(printable(f"{_whose(problem)}: {problem.part}: {problem.message}"))
    for removed in found.removed[:_MOST_REMOVED]:
        say(f"run {removed[:8]} was removed, with a tombstone")
    if (more := len(found.removed) - _MOST_REMOVED) > 0:
        say(f"and {counted(more, 'further run')} likewise")
    entries, runs = counted(found.entries, "entry", "entries"), counted(found.runs, "run")
    told = f"{entries}, {runs} and {counted(found.blobs, 'blob')} were checked"
    if found.sound:
        say(f"{told}: all are what was recorded")
        return 0
    wrong = len(found.problems)
    say(f"{told}: {wrong} {'is' if wrong == 1 else 'are'} not what was recorded")
    return Altered.exit_code


def _verify_bundle(path: Path, as_json: bool) -> int:
    with reporting() as report:
        found = verify_bundle(path, limits(os.environ), report)
    if as_json:
        document = {"sound": found.sound, "path": str(path), "verification": found}
        print_document({"schema": "mlproj/verify-bundle/1", **document})
        return 0 if found.sound else Altered.exit_code
    for problem in found.problems:
        typer.echo(printable(f"{problem.part}: {problem.message}"))
    told = f"{counted(found.files, 'file')} and {size(found.size)} of `{path}` were checked"
    if found.sound:
        say(f"{told}: run `{found.run_name}` is as it was written")
        return 0
    say(f"{told}: {counted(len(found.problems), 'thing')} not as written")
    return Altered.exit_code


def _whose(problem: Problem) -> str:
    if problem.run_id is None:
        return "the chain"
    if problem.run_name is None:
        return f"run {problem.run_id[:8]}"
    return f"run `{problem.run_name}` ({problem.run_id[:8]})"
