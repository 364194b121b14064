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
ManagerOption = Annotated[
    str | None,
    typer.Option(
        "--env-manager",
        metavar="NAME",
        envvar="MLPROJ_ENV_MANAGER",
        help="local, virtualenv, uv, conda or docker; else as the project says.",
    ),
]
RefreshOption = Annotated[bool, typer.Option("--refresh", help="Resolve the environment's lock anew.")]
ReuseOption = Annotated[
    bool,
    typer.Option(
        "--reuse/--no-reuse",
        envvar="MLPROJ_REUSE",
        help="Where a finished run has an equal plan, put its outputs in place instead of running.",
    ),
]
RevisionOption = Annotated[
    str | None, typer.Option("--version", "-v", metavar="REV", help="A git branch, tag or commit.")
]
UriArgument = Annotated[
    str, typer.Argument(metavar="URI", help="A folder, a git URL or a zip file; `#sub/folder` may follow.")
]
StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="DIR|URL",
        envvar="MLPROJ_STORE",
        help="The store: a folder or a server; else the nearest `.mlproj/` upward, else a new one here.",
    ),
]
RunArgument = Annotated[
    str,
    typer.Argument(metavar="RUN", help="A run's id, its first digits (4 or more), its name, or `last`."),
]
