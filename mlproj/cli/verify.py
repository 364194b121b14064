"""`mlproj verify`: whether what was recorded is still what was recorded."""

from __future__ import annotations

from typing import Annotated

import typer

from mlproj import wiring
from mlproj.cli.controls import printable
from mlproj.cli.documents import print_document
from mlproj.cli.options import JsonOption, StoreOption
from mlproj.cli.terminal import reporting, say
from mlproj.errors import Altered
from mlproj.services.verify import verify as check_records

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
        found = check_records(records, None if run is None else records.find(run), report)
    if as_json:
        print_document({"schema": "mlproj/verify/1", "sound": found.sound, "verification": found})
        return 0 if found.sound else Altered.exit_code
    for problem in found.problems:
        whose = f"run `{problem.run_name}` ({problem.run_id[:8]})" if problem.run_id else "the chain"
        typer.echo(printable(f"{whose}: {problem.part}: {problem.message}"))
    for removed in found.removed:
        say(f"run {removed[:8]} was removed, with a tombstone")
    told = f"{found.entries} entries, {found.runs} runs and {found.blobs} blobs were checked"
    if found.sound:
        say(f"{told}: all are what was recorded")
        return 0
    say(f"{told}: {len(found.problems)} are not what was recorded")
    return Altered.exit_code
