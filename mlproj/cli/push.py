"""`mlproj push`: has runs of this store at a server, too."""

from __future__ import annotations

from typing import Annotated

import typer

from mlproj import wiring
from mlproj.cli.options import JsonOption, StoreOption
from mlproj.cli.passing_on import UnderOption, told
from mlproj.cli.terminal import reporting
from mlproj.errors import UsageError
from mlproj.services.passing_on import pass_on

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def push(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN... SERVER", help="Runs of this store, and last the server's address, or a folder."
        ),
    ],
    experiment_name: UnderOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Have runs of this store in another one, too: records as they were sealed, with all that they name.

    What is there already is left as it is, so that it can be done again, and go on where it was cut.
    """
    *runs, server = what
    if not runs:
        raise UsageError(
            "`mlproj push` takes runs, and then where they go", hint="`mlproj push last http://server:5000`"
        )
    with reporting() as report:
        passed = pass_on(
            runs, wiring.existing_store(store), wiring.named_store(server), report, experiment=experiment_name
        )
    return told("mlproj/push/1", passed, server, as_json)
