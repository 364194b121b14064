"""`mlproj check`: what is wrong with a project's files, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlproj.cli.controls import printable
from mlproj.cli.documents import print_document
from mlproj.cli.options import JsonOption
from mlproj.cli.pages import project_page
from mlproj.cli.sheet import print_sheet
from mlproj.cli.terminal import say
from mlproj.errors import ProjectError, SourceError
from mlproj.model.project import Finding
from mlproj.services.check import check as find_faults
from mlproj.spec import read_project

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def check(
    directory: Annotated[Path, typer.Argument(metavar="FOLDER", help="The project's folder.")] = Path("."),
    strict: Annotated[bool, typer.Option("--strict", help="Count warnings as errors.")] = False,
    as_json: JsonOption = False,
) -> int:
    """Say what is wrong with a project's files, and where.

    Ends with 3 where a run would be refused (with `--strict`, at any finding), else with 0.
    """
    if not directory.is_dir():
        raise SourceError(
            f"there is no folder `{directory}`", hint="name the folder that holds the MLproject"
        )
    findings = find_faults(directory)
    if as_json:
        print_document({"schema": "mlproj/check/1", "findings": findings})
    else:
        _print(directory, findings)
    refused = any(strict or finding.severity == "error" for finding in findings)
    return ProjectError.exit_code if refused else 0


def _print(directory: Path, findings: tuple[Finding, ...]) -> None:
    if all(finding.severity != "error" for finding in findings):
        print_sheet(project_page(read_project(directory)))
    for finding in findings:
        hint = f" ({finding.hint})" if finding.hint else ""
        typer.echo(printable(f"{finding.location}: {finding.severity}: {finding.message}{hint}"))
    if not findings:
        say("nothing to complain of")
