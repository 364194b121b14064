"""`mlproj import-mlflow`: move in with what MLflow kept."""

from __future__ import annotations

import contextlib
import os
from typing import Annotated

import typer
from msgspec.structs import asdict

from mlproj import wiring
from mlproj.cli.documents import print_document
from mlproj.cli.options import JsonOption, StoreOption
from mlproj.cli.terminal import reporting, say
from mlproj.cli.words import counted, size
from mlproj.errors import UsageError
from mlproj.model.redaction import without_credentials
from mlproj.services.moving import Destination, move_in
from mlproj.services.moving_tally import Counts, Moved

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_SHOWN = 20
"""So much of what did not come along is named line by line; all of it with `--json`."""

SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A tracking server's address, a database's URI (`sqlite:///mlflow.db`), or an `mlruns` folder.",
    ),
]
ExperimentOption = Annotated[
    list[str] | None,
    typer.Option("--experiment", metavar="NAME", help="Only this experiment, by its name; repeatable."),
]
ArtifactsOption = Annotated[
    str | None,
    typer.Option(
        "--artifacts-destination",
        metavar="URL",
        help="Where the source's server keeps artifacts that it hands on itself: a folder or URL, as it was"
        " said to `mlflow server`.",
    ),
]


@app.command("import-mlflow")
def import_mlflow(
    source: SourceArgument,
    experiment: ExperimentOption = None,
    artifacts_destination: ArtifactsOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Bring in what MLflow kept: experiments, runs with every point and file, models, traces, the registry.

    Runs keep their ids, and are sealed. Nothing at the source is changed. What is here already does not come
    twice: called again, the command goes on where it was stopped, and adds what changed there since.
    """
    if wiring.far_address(store, os.environ) is not None:
        raise UsageError(
            "history is brought in on the machine where the store is",
            hint="call this there: `--store` names the folder or database that its server was started with,"
            " and of a database `MLPROJ_SERVER_ARTIFACTS_DESTINATION` says where its contents are",
        )
    caller = wiring.current_folder()
    with (
        reporting() as report,
        contextlib.closing(wiring.history_at(source, os.environ, caller, artifacts_destination)) as history,
    ):
        records = wiring.open_store(os.environ, caller, store, create=True)
        with (
            contextlib.closing(wiring.tracking_of(records)) as tracking,
            contextlib.closing(wiring.arrivals_of(records)) as arrivals,
        ):
            destination = Destination(
                tracking=tracking, artifacts=wiring.artifacts_of(records), arrivals=arrivals
            )
            moved = move_in(history, destination, experiment or (), report)
    if as_json:
        print_document({"schema": "mlproj/moved/1", **_document(moved)})
    else:
        _tell(moved)
    return 0


def _document(moved: Moved) -> dict[str, object]:
    counts = {name: asdict(value) for name, value in asdict(moved).items() if isinstance(value, Counts)}
    untaken = [asdict(each) for each in moved.untaken]
    return {**asdict(moved), **counts, "untaken": untaken}


def _tell(moved: Moved) -> None:
    say(f"brought in from {without_credentials(moved.origin)}:")
    kinds = (
        ("experiment", moved.experiments),
        ("run", moved.runs),
        ("logged model", moved.models),
        ("trace", moved.traces),
        ("registered model", moved.registered_models),
        ("version", moved.versions),
    )
    for thing, counts in kinds:
        if any(asdict(counts).values()):
            say(f"  {_told(thing, counts)}")
    files = f"{counted(moved.files, 'file')} of {size(moved.size)}"
    say(f"  {counted(moved.points, 'point')} of metrics, {files}")
    for untaken in moved.untaken[:_SHOWN]:
        say(f"not taken: {untaken.what}: {untaken.why}")
    if len(moved.untaken) > _SHOWN:
        say(f"not taken: {len(moved.untaken) - _SHOWN} more, which `--json` names")


def _told(thing: str, counts: Counts) -> str:
    parts = [counted(counts.new, f"new {thing}")]
    if counts.changed:
        parts.append(f"{counts.changed} changed there since")
    if counts.same:
        parts.append(f"{counts.same} here already")
    return ", ".join(parts)
