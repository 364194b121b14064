"""`mlproj verify`: whether what was recorded is still what was recorded."""

from __future__ import annotations

from typing import Annotated

import typer

from mlproj import wiring
from mlproj.cli.controls import printable
from mlproj.cli.documents import print_document
from mlproj.cli.options import JsonOption, StoreOption
from mlproj.cli.terminal import reporting, say
from mlproj.cli.words import counted
from mlproj.errors import Altered
from mlproj.services.findings import Problem
from mlproj.services.verify import verify as check_records

_MOST_REMOVED = 20
"""So many removed runs are told one by one."""

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def verify(
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="Check the content of this run alone.")
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Check digests and chain of what was recorded, and name what was altered.

    Ends with 7 where anything is not what was sealed.
    """
    records = wiring.existing_store(store)
    with reporting() as report:
        digester = wiring.part("provenance.contents:digest_files")
        found = check_records(records, None if run is None else records.find(run), report, digester)
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


def _whose(problem: Problem) -> str:
    if problem.run_id is None:
        return "the chain"
    if problem.run_name is None:
        return f"run {problem.run_id[:8]}"
    return f"run `{problem.run_name}` ({problem.run_id[:8]})"
