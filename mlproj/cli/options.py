"""Options that several commands share, each described once."""

from __future__ import annotations

from typing import Annotated

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print one versioned JSON object on stdout.")]
StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="DIR",
        envvar="MLPROJ_STORE",
        help="The store to use; else the nearest `.mlproj/` upward, else a new one here.",
    ),
]
RunArgument = Annotated[
    str,
    typer.Argument(metavar="RUN", help="A run's id, its first digits (4 or more), its name, or `last`."),
]
