"""Options that several commands share, each described once."""

from __future__ import annotations

from typing import Annotated

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print one versioned JSON object on stdout.")]
AsOfOption = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        metavar="DATE",
        envvar="MLPROJ_AS_OF",
        help="Resolve with nothing newer than DATE (a day ends in UTC), or than the source's `commit`.",
    ),
]
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
