"""`mlproj init`: a new MLproject for the code in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlproj.cli.terminal import say
from mlproj.services.init import init as write_project

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder of the code.")] = Path("."),
    name: Annotated[str | None, typer.Option("--name", help="The project's name; else the folder's.")] = None,
) -> int:
    """Write an MLproject for the code in a folder."""
    for path in write_project(directory, name):
        typer.echo(str(path))
    say("hint: `mlproj check` looks it over, `mlproj run .` runs it")
    return 0
