"""`mlproj logs`: what a run printed, in the order in which it came."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from mlproj import wiring
from mlproj.cli.options import RunArgument, StoreOption
from mlproj.cli.streams import delivering
from mlproj.cli.terminal import say
from mlproj.errors import UsageError
from mlproj.model.run import STREAMS
from mlproj.services.logs import cut_logs, read_log

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def logs(
    run: RunArgument = "last",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
    stream: Annotated[
        str | None, typer.Option("--stream", metavar="NAME", help="Only `stdout` or `stderr`.")
    ] = None,
    store: StoreOption = None,
) -> int:
    """Print what a run printed: its stdout on stdout, its stderr on stderr."""
    if stream is not None and stream not in STREAMS:
        raise UsageError(f"there is no stream `{stream}`", hint="streams are `stdout` and `stderr`")
    records = wiring.existing_store(store)
    found = records.find(run)
    ours = {"stdout": sys.stdout.buffer, "stderr": sys.stderr.buffer}
    for piece in read_log(records, found, stream, follow=follow):
        with delivering():
            ours[piece.stream].write(piece.data)
            ours[piece.stream].flush()
    for log in cut_logs(records.find(found.run_id)):
        if stream in (None, log.name):
            say(f"note: of {log.name} {log.cut:,} bytes were not kept, after the first {log.cut_at:,}")
    return 0
