"""`mlproj reproduce`: a recorded run done again, with a verdict."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mlproj import run_wiring, wiring
from mlproj.cli.documents import print_document
from mlproj.cli.loading import load
from mlproj.cli.options import JsonOption, StoreOption
from mlproj.cli.pages.verdict import verdict_page
from mlproj.cli.sheet import print_sheet
from mlproj.cli.terminal import reporting
from mlproj.cli.whole import whole_document
from mlproj.errors import NotReproduced, UsageError
from mlproj.model.events import Report
from mlproj.model.index import inputs_of
from mlproj.model.run import Run
from mlproj.model.tolerance import read_named
from mlproj.planning.parameters import parse_assignments
from mlproj.services.bundle_verification import is_bundle
from mlproj.services.importing import import_bundle
from mlproj.services.reproduce import reproduce as do_again
from mlproj.services.request import Tools
from mlproj.services.rerunning import Wish
from mlproj.store_ports import RunStore

MOST_TIMES = 1000

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def reproduce(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN|BUNDLE",
            help="A run's id, its first digits, its name or `last`; or a bundle, by path or URL.",
        ),
    ],
    tolerance: Annotated[
        list[str] | None,
        typer.Option(
            "--tolerance",
            metavar="[NAME=]SIZE",
            help="How far metrics and numbers in outputs may be off: rmse=1%, 0.01, x=0.01abs; repeatable.",
        ),
    ] = None,
    times: Annotated[
        int, typer.Option("--times", metavar="N", min=1, max=MOST_TIMES, help="Do it N times.")
    ] = 1,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "--param-list",
            "-P",
            metavar="NAME=VALUE",
            help="Another value for a parameter, or that of a secret one; repeatable.",
        ),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data", metavar="[NAME=]PATH", help="Where the data is, or a folder that has it; repeatable."
        ),
    ] = None,
    override_data: Annotated[
        list[str] | None,
        typer.Option("--override-data", metavar="NAME=PATH", help="Other data for an input; repeatable."),
    ] = None,
    override_env: Annotated[
        Path | None,
        typer.Option("--override-env", metavar="FILE", help="Take another lock for the environment."),
    ] = None,
    from_git: Annotated[
        bool, typer.Option("--from-git", help="Fetch the source from the recorded repository and commit.")
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Fetch nothing: take what is on this machine.")
    ] = False,
    isolated: Annotated[
        bool | None,
        typer.Option(
            "--isolated/--no-isolated",
            help="Without network, and seeing only what was recorded: wherever that can be had.",
            show_default=False,
        ),
    ] = None,
    allow_network: Annotated[
        bool, typer.Option("--allow-network", help="Let it have the network, isolated as it is.")
    ] = False,
    reports: Annotated[
        list[Path] | None,
        typer.Option(
            "--report", metavar="FILE", help="Write the verdict to a .md, .xml (JUnit) or .json; repeatable."
        ),
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Do a recorded run again, and tell whether the same came of it.

    Ends with 0 where it is identical or equivalent, with 7 where the record was altered, else with 6.
    """
    for path in reports or ():
        load("mlproj.cli.pages.reports").check_notation(path)
    if offline and "://" in run:
        raise UsageError(f"`--offline` fetches nothing, and the bundle is at `{run}`")
    caller, environ = wiring.current_folder(), dict(os.environ)
    tools = run_wiring.tools(environ, caller, store)
    with reporting() as report:
        records, original = _recorded(run, store, tools, report)
    named, places = _data(data or (), original, caller)
    wish = Wish(
        run=original,
        caller=caller,
        environ=environ,
        parameters=parse_assignments(tuple(parameter or ())),
        data=named,
        places=places,
        override_data=_paths(override_data or (), "--override-data", caller),
        override_env=None if override_env is None else caller / override_env,
        tolerances=tuple(read_named(text) for text in tolerance or ()),
        times=times,
        offline=offline,
        from_git=from_git,
        isolated=isolated,
        allow_network=allow_network,
    )
    with reporting(child_to_stderr=True) as report:
        found = do_again(wish, records, tools, report)
    for path in reports or ():
        load("mlproj.cli.pages.reports").write(path, found)
    if as_json:
        last = found.runs[-1] if found.runs else original
        # As it is now: the verdict is among its amendments.
        print_document({**whole_document(records.find(last.run_id), records), "verdict": found.verdict})
    else:
        print_sheet(verdict_page(found))
    return 0 if found.verdict.grade.is_reproduced else NotReproduced.exit_code


def _recorded(named: str, store: str | None, tools: Tools, report: Report) -> tuple[RunStore, Run]:
    """The run that is meant; one in a bundle is brought into the store first."""
    if "://" not in named and not is_bundle(Path(named)):
        records = wiring.existing_store(store)
        return records, records.find(named)
    records = tools.open_store()
    with tools.workplace() as folder:
        path = tools.download(named, folder / "bundle", report) if "://" in named else Path(named)
        return records, import_bundle(path, records, report, tools.limits)


def _data(texts: Sequence[str], run: Run, caller: Path) -> tuple[dict[str, Path], tuple[Path, ...]]:
    """The inputs whose place is given by name, and the places without one."""
    inputs = {state.name for state in inputs_of(run)}
    named, places = [], []
    for text in texts:
        name, equals, _ = text.partition("=")
        if equals and name in inputs:
            named.append(text)
        elif (caller / text).exists():
            places.append(caller / text)
        elif equals:
            named.append(text)
        else:
            raise UsageError(f"`--data {text}`: there is no such file or folder")
    return _paths(named, "--data", caller), tuple(places)


def _paths(texts: Sequence[str], option: str, caller: Path) -> dict[str, Path]:
    paths = {name: caller / text for name, text in parse_assignments(tuple(texts), option=option).items()}
    for name, path in paths.items():
        if not path.exists():
            raise UsageError(f"`{option} {name}={path}`: there is no such file or folder")
    return paths
