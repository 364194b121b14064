"""`mlproj export`: hand a run over as one file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from mlproj import wiring
from mlproj.cli.documents import print_document
from mlproj.cli.options import JsonOption, RunArgument, StoreOption
from mlproj.cli.terminal import reporting, say
from mlproj.cli.words import counted, size
from mlproj.errors import UsageError, did_you_mean
from mlproj.model.bundle import PARTS
from mlproj.model.digest import plain
from mlproj.services.exporting import Wanted, export_run

_MOST_TOLD = 10
"""So many files that are not in the bundle are told one by one."""

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def export(
    run: RunArgument,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The bundle to write, such as `run.zip`.")
    ],
    parts: Annotated[
        list[str] | None,
        typer.Option(
            "--with", metavar="PARTS", help="What else to take along: data, environment, image, by commas."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file that is there.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Write a run into one file: its record, source, lock, outputs and logs.

    The file is a zip, and an RO-Crate; `mlproj import` and `mlproj verify` read it on any machine.
    """
    wanted = Wanted(path=output.absolute(), parts=_parts(parts or []), replacing=force)
    records = wiring.existing_store(store)
    with reporting() as report:
        found = export_run(records, records.find(run), wanted, wiring.suppliers(os.environ), report)
    if as_json:
        print_document({"schema": "mlproj/export/1", **plain(found)})
        return 0
    for missing in found.left_out[:_MOST_TOLD]:
        say(f"not in it: {missing.path}: {missing.reason}")
    if (more := len(found.left_out) - _MOST_TOLD) > 0:
        say(f"and {counted(more, 'further file')} likewise")
    say(f"`{output}` holds the run: {counted(found.files, 'file')}, {size(found.size)}")
    return 0


def _parts(given: list[str]) -> tuple[str, ...]:
    """What is asked for, each once and in the order of PARTS. Raises UsageError for what there is not."""
    wanted = {part.strip() for text in given for part in text.split(",") if part.strip()}
    for part in sorted(wanted - set(PARTS)):
        raise UsageError(
            f"a bundle has no part `{part}`",
            hint=did_you_mean(part, PARTS) or f"there are {', '.join(f'`{each}`' for each in PARTS)}",
        )
    return tuple(part for part in PARTS if part in wanted)
