"""What `mlproj push` and `mlproj pull` tell of the runs that they passed on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from mlproj.cli.documents import print_document
from mlproj.cli.terminal import say
from mlproj.cli.words import counted, size
from mlproj.model.redaction import without_credentials
from mlproj.services.passing_on import Passed

UnderOption = Annotated[
    str | None,
    typer.Option(
        "--experiment-name",
        help="Where new ones are put, which is made if need be; else where they are already.",
    ),
]


def told(schema: str, passed: Sequence[Passed], where: str | None, as_json: bool) -> int:
    """Prints it; `where` they are now, None for here. Returns the exit code."""
    if as_json:
        print_document({"schema": schema, "runs": [_document(one) for one in passed]})
        return 0
    place = "here" if where is None else f"at `{without_credentials(where)}`"
    for one in passed:
        came = f"{counted(one.files, 'file')}, {size(one.bytes)}"
        is_new = f"is {place} now: {came}" if one.new else f"was {place} already"
        later = "" if one.new or not one.amendments else f"; {counted(one.amendments, 'addition')} came"
        say(f"run `{one.run.name}` ({one.run.run_id[:8]}) {is_new}{later}")
    return 0


def _document(one: Passed) -> dict[str, object]:
    return {
        "run_id": one.run.run_id,
        "name": one.run.name,
        "record": one.run.record,
        "new": one.new,
        "files": one.files,
        "bytes": one.bytes,
        "amendments": one.amendments,
    }
