"""`mlproj lineage WHAT`: what something came from, and what came of it."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from mlproj import wiring
from mlproj.cli.documents import print_document
from mlproj.cli.graphviz import graph_text
from mlproj.cli.options import JsonOption, StoreOption
from mlproj.cli.pages.lineage import lineage_trees
from mlproj.cli.terminal import reporting, say
from mlproj.cli.trees import print_trees
from mlproj.errors import UsageError
from mlproj.model.digest import plain
from mlproj.model.lineage import Lineage
from mlproj.services.lineage import Way
from mlproj.services.lineage import lineage as find_lineage

LINEAGE_SCHEMA = "mlproj/lineage/1"

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def lineage(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="A file or folder, a run, a digest, `models:/NAME/VERSION`, `models:/m-…`, `runs:/ID/PATH`.",
        ),
    ],
    up: Annotated[bool, typer.Option("--up", help="Only what it came from.")] = False,
    down: Annotated[bool, typer.Option("--down", help="Only what came of it.")] = False,
    depth: Annotated[
        int | None,
        typer.Option("--depth", metavar="N", min=0, help="Follow N runs in a row; else as far as it goes."),
    ] = None,
    dot: Annotated[bool, typer.Option("--dot", help="Print the graph for Graphviz.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Tell what data, code and environment something came from, and which runs and models came of it.

    A file is known by its content, wherever it lies and whatever it is called; what one run left and another
    read is joined so, with nobody declaring it.
    """
    if dot and as_json:
        raise UsageError("`--dot` and `--json` exclude each other", hint="give one of them")
    way = Way.BOTH if up == down else Way.UP if up else Way.DOWN
    caller = wiring.current_folder()
    with reporting() as report:
        found = find_lineage(
            wiring.existing_store(store),
            what,
            observer=wiring.observer(os.environ),
            caller=caller,
            way=way,
            depth=depth,
            report=report,
        )
    if as_json:
        asked = {"schema": LINEAGE_SCHEMA, "of": what, "way": way.value, "depth": depth}
        print_document({**asked, **plain(found)})
    elif dot:
        typer.echo(graph_text(found), nl=False)
    else:
        print_trees(lineage_trees(found, what, way))
        _say_limits(found)
    return 0


def _say_limits(found: Lineage) -> None:
    if found.cut:
        say("hint: it goes on; `--depth` shows less of each way, and a digest of what is at its end more")
