"""`mlproj diff A B`: what differs between two runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from mlproj import wiring
from mlproj.cli.controls import printable
from mlproj.cli.documents import print_document
from mlproj.cli.options import JsonOption, StoreOption
from mlproj.cli.pages.verdict import causes
from mlproj.cli.sheet import Section, print_sheet
from mlproj.cli.words import number
from mlproj.compare.causes import causes_of
from mlproj.compare.runs import Change, RunDifference
from mlproj.model.tolerance import EXACT, read_tolerance
from mlproj.services.diff import Diff
from mlproj.services.diff import diff as compare

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="A run: id, prefix, name or `last`.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The run to hold against it.")],
    tolerance: Annotated[
        str | None,
        typer.Option(
            "--tolerance",
            metavar="SIZE",
            help="How far numbers in outputs may be apart: 0.01, 1% or 0.01abs.",
        ),
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Tell what differs between two runs: parameters, source as a patch, packages, data, metrics, outputs.

    Outputs are read as what they are: JSON, CSV, Parquet, NumPy arrays, pictures, pickles, archives, text.
    """
    allowed = EXACT if tolerance is None else read_tolerance(tolerance)
    records = wiring.existing_store(store)
    found = compare(records, records.find(before), records.find(after), allowed)
    if as_json:
        parts = {"difference": found.difference, "patches": found.patches, "contents": found.contents}
        parts["causes"] = causes_of(found.difference)
        print_document({"schema": "mlproj/diff/1", **parts})
        return 0
    print_sheet((*_page(found.difference), _contents(found), causes(causes_of(found.difference))))
    _print_patches(found)
    return 0


def _page(found: RunDifference) -> tuple[Section, ...]:
    plan = {None: "a plan without identity", True: "the same plan", False: "different plans"}[found.same_plan]
    headings = ("", found.before[:8], found.after[:8])
    metrics = tuple(
        (
            item.key,
            "" if item.before is None else number(item.before),
            "" if item.after is None else number(item.after),
            "" if not item.delta else f"{item.delta:+.6g}",
        )
        for item in found.metrics
    )
    return (
        Section(headings=headings, rows=(("plan", plan),)),
        _section("parameters", found.parameters),
        _section("plan", (change for change in found.plan if change.name != "identity")),
        _section("source", found.source),
        _section("environment", found.environment),
        _section("packages", found.packages),
        _section("data", found.inputs),
        _section("undeclared inputs", found.reads),
        _section("variables", found.variables),
        _section("host", found.host),
        _section("outcome", found.outcome),
        _section("outputs", found.outputs),
        Section(title="metrics", rows=metrics),
    )


def _section(title: str, changes: Iterable[Change]) -> Section:
    rows = tuple((change.name, change.before or "-", change.after or "-") for change in changes)
    return Section(title=title, rows=rows)


def _contents(found: Diff) -> Section:
    judged = ((file.path, file.judgement) for file in found.contents)
    rows = tuple((path, told.likeness.value, f"{told.notation}: {told.why}") for path, told in judged)
    return Section(title="contents", rows=rows)


def _print_patches(found: Diff) -> None:
    for patch in found.patches:
        typer.echo()
        if patch.note is not None:
            typer.echo(printable(f"{patch.path}: {patch.note}"))
        for line in patch.text.splitlines():
            typer.echo(printable(line))
