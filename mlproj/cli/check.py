"""`mlproj check`: what is wrong with a project's files, and where."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from mlproj import run_wiring, wiring
from mlproj.cli.controls import printable
from mlproj.cli.documents import print_document
from mlproj.cli.options import JsonOption
from mlproj.cli.pages.project import project_page
from mlproj.cli.sheet import print_sheet
from mlproj.cli.terminal import reporting, say
from mlproj.errors import ProjectError, one_line
from mlproj.model.project import Finding
from mlproj.services.describe import examine

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def check(
    uri: Annotated[
        str, typer.Argument(metavar="URI", help="A folder, a git URL or a zip file, as for `mlproj run`.")
    ] = ".",
    version: Annotated[
        str | None, typer.Option("--version", "-v", metavar="REV", help="A git branch, tag or commit.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Count warnings as errors.")] = False,
    as_json: JsonOption = False,
) -> int:
    """Say what is wrong with a project's files, and where.

    Ends with 3 where a run would be refused (with `--strict`, at any warning too), else with 0.
    """
    with reporting() as report:
        examined = examine(uri, version, run_wiring.tools(os.environ, wiring.current_folder()), report)
    if as_json:
        print_document({"schema": "mlproj/check/1", "findings": examined.findings})
    else:
        if examined.project is not None:
            print_sheet(project_page(examined.project))
        _print(examined.findings)
    counted = {"error", "warning"} if strict else {"error"}
    refused = any(finding.severity in counted for finding in examined.findings)
    return ProjectError.exit_code if refused else 0


def _print(findings: tuple[Finding, ...]) -> None:
    for finding in findings:
        hint = f" ({finding.hint})" if finding.hint else ""
        typer.echo(printable(one_line(f"{finding.location}: {finding.severity}: {finding.message}{hint}")))
    if not findings:
        say("nothing to complain of")
