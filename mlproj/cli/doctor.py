"""`mlproj doctor`: what this machine can do for mlproj."""

from __future__ import annotations

import os

import typer

from mlproj import wiring
from mlproj.cli.documents import print_document
from mlproj.cli.options import JsonOption, StoreOption
from mlproj.cli.sheet import Section, print_sheet
from mlproj.services.doctor import diagnose
from mlproj.settings import cache_folder

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def doctor(store: StoreOption = None, as_json: JsonOption = False) -> int:
    """Tell what this machine can do for mlproj."""
    checks = diagnose(
        cache_folder(os.environ),
        lambda: wiring.part("environments.uv:find_uv")(os.environ),
        lambda: wiring.existing_store(store),
        lambda: wiring.part("environments.docker_engine:described")(os.environ),
        wiring.pythons(os.environ),
    )
    if as_json:
        print_document({"schema": "mlproj/doctor/1", "checks": checks})
    else:
        rows = tuple((check.name, check.state, check.detail, check.hint or "") for check in checks)
        print_sheet([Section(rows=rows)])
    return 0
