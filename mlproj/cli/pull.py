"""`mlproj pull`: has runs of a server in this store, too."""

from __future__ import annotations

from typing import Annotated

import typer

from mlproj import wiring
from mlproj.cli.options import JsonOption, StoreOption
from mlproj.cli.passing_on import UnderOption, told
from mlproj.cli.terminal import reporting
from mlproj.services.passing_on import pass_on

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def pull(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Ids, unique prefixes of them, or names, there.")
    ],
    server: Annotated[
        str, typer.Option("--from", metavar="SERVER", help="The server's address, or another store's folder.")
    ],
    experiment_name: UnderOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Have runs of another store in this one, too: records as they were sealed, with all that they name.

    What is here already is left as it is, so that it can be done again, and go on where it was cut.
    """
    with reporting() as report:
        passed = pass_on(
            runs, wiring.named_store(server), wiring.store_here(store), report, experiment=experiment_name
        )
    return told("mlproj/pull/1", passed, None, as_json)
