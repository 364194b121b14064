"""`mlproj diff A B`: what differs between two runs."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Annotated

import typer

from mlproj import wiring
from mlproj.cli.controls import printable
from mlproj.cli.documents import print_document
from mlproj.cli.options import JsonOption, StoreOption
from mlproj.cli.pages.verdict import causes
from mlproj.cli.sheet import Section, print_sheet
from mlproj.cli.terminal import say
from mlproj.cli.words import number
from mlproj.compare.causes import causes_of
from mlproj.compare.runs import Change, RunDifference
from mlproj.compare.verdict import Grade
from mlproj.errors import NotReproduced
from mlproj.model.tolerance import read_named, tolerance_of
from mlproj.services.diff import Diff
from mlproj.services.diff import diff as compare
from mlproj.services.verdicts import grade_of

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="A run: id, prefix, name or `last`.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The run to hold against it.")],
    tolerance: Annotated[
        list[str] | None,
        typer.Option(
            "--tolerance",
            metavar="[NAME=]SIZE",
            help="How far metrics and numbers in outputs may be apart: rmse=1%, 0.01, x=0.01abs; repeatable.",
        ),
    ] = None,
    exit_code: Annotated[
        bool,
        typer.Option("--exit-code", help="End with 6 where the results differ, as `reproduce` does."),
    ] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Tell what differs between two runs: parameters, source as a patch, packages, data, metrics, outputs.

    Outputs are read as what they are: JSON, CSV, Parquet, NumPy arrays, pictures, pickles, archives, text.
    """
    allowed = partial(tolerance_of, named=tuple(read_named(text) for text in tolerance or ()))
    records = wiring.existing_store(store)
    runs = records.find(before), records.find(after)
    found = compare(records, *runs, allowed)
    grade = grade_of(*runs, records.blobs, allowed) if exit_code else None
    if as_json:
        parts = {"difference": found.difference, "patches": found.patches, "contents": found.contents}
        parts["causes"] = causes_of(found.difference)
        print_document({"schema": "mlproj/diff/1", **parts})
        return _code(grade)
    print_sheet((*_page(found.difference), _contents(found), causes(causes_of(found.difference))))
    _print_patches(found)
    return _code(grade)


def _code(grade: Grade | None) -> int:
    """The exit code for what the results of the two runs are to each other, if somebody asked."""
    if grade is None:
        return 0
    say(f"the results are {grade.value}")
    return 0 if grade.is_reproduced else NotReproduced.exit_code


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
