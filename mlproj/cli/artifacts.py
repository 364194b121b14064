"""`mlproj artifacts`: the files that a run left, listed or copied out of the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlproj import wiring
from mlproj.cli.documents import print_document
from mlproj.cli.options import JsonOption, RunArgument, StoreOption
from mlproj.cli.sheet import Section, print_sheet
from mlproj.cli.terminal import say
from mlproj.cli.words import content
from mlproj.errors import UsageError
from mlproj.services.artifacts import artifacts as list_artifacts
from mlproj.services.artifacts import get_artifact

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def artifacts(
    run: RunArgument = "last",
    action: Annotated[str | None, typer.Argument(metavar="[get]", help="Copy a file or folder out.")] = None,
    path: Annotated[
        str | None, typer.Argument(metavar="[PATH]", help="Which, as it is listed; `.` for all.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", "-o", metavar="PLACE", help="Copy to; else here.")
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """List the files that a run left, or copy them out: `mlproj artifacts last get model.joblib`."""
    if run == "get":
        run, action, path = "last", "get", action
    records = wiring.existing_store(store)
    found = records.find(run)
    if action is not None:
        if action != "get" or path is None:
            raise UsageError(
                f"`{action}` is not `get PATH`", hint="`mlproj artifacts RUN get PATH` copies a file out"
            )
        for place in get_artifact(records, found, path, to or Path.cwd()):
            typer.echo(str(place))
        return 0
    kept = list_artifacts(records, found)
    if as_json:
        print_document({"schema": "mlproj/artifacts/1", "run_id": found.run_id, "artifacts": kept})
    elif kept:
        print_sheet([Section(rows=tuple((item.path, item.state, *content(item)) for item in kept))])
    else:
        say("the run left no files that were declared or put into its output folder")
    return 0
