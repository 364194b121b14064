"""mlproj from Python: the verbs of the command line as functions that return the nouns."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from mlproj import run_wiring, wiring
from mlproj.model.events import Report, silent
from mlproj.model.plan import Plan
from mlproj.model.project import Project
from mlproj.model.run import Run
from mlproj.model.tolerance import read_named
from mlproj.services import run as service
from mlproj.services.reproduce import Reproduction
from mlproj.services.reproduce import reproduce as do_again
from mlproj.services.request import RunRequest
from mlproj.services.rerunning import Wish
from mlproj.spec import read_project
from mlproj.spec.instant import instant
from mlproj.store_ports import RunStore


def run(
    uri: str = ".",
    *,
    entry_point: str = "main",
    parameters: Mapping[str, object] | None = None,
    version: str | None = None,
    env_manager: str | None = None,
    experiment_name: str | None = None,
    run_name: str | None = None,
    timeout: float | None = None,
    as_of: str | None = None,
    tracking_uri: str | None = None,
    reuse: bool = False,
    store: str | None = None,
    report: Report = silent,
) -> Run:
    """Runs an entry point and returns the sealed run, also one that failed (its `status` says so).

    `uri` is a folder, a git URL or a zip file; `parameters` are passed as their text; `timeout` is in
    seconds; with `as_of` (a date, or `commit`) nothing in the environment is newer; `tracking_uri` names an
    MLflow server to have the run at, too; with `reuse` a finished run with an equal plan is returned instead,
    its outputs put in place; `store` is a folder (else found as the command line finds it);
    `report` gets events, the child's output among them. Raises MlprojError where nothing could be run.
    """
    request = RunRequest(
        uri=uri,
        caller=wiring.current_folder(),
        environ=dict(os.environ),
        entry_point=entry_point,
        parameters=_texts(parameters),
        revision=version,
        environment_manager=env_manager,
        experiment=experiment_name,
        run_name=run_name,
        timeout=timeout,
        as_of=None if as_of is None else instant(as_of),
        tracking_uri=tracking_uri,
        experiment_given=experiment_name is not None,
        reuse=reuse,
        parent=os.environ.get("MLPROJ_PARENT_RUN_ID") or os.environ.get("MLPROJ_RUN_ID"),
    )
    return service.run(request, run_wiring.tools(os.environ, request.caller, store), report)


def plan(
    uri: str = ".",
    *,
    entry_point: str = "main",
    parameters: Mapping[str, object] | None = None,
    version: str | None = None,
    env_manager: str | None = None,
    timeout: float | None = None,
    report: Report = silent,
) -> Plan:
    """What `run` with the same arguments would carry out; its `identity` is None while its lock is not
    resolved. Writes neither store nor project. Raises MlprojError."""
    request = RunRequest(
        uri=uri,
        caller=wiring.current_folder(),
        environ=dict(os.environ),
        entry_point=entry_point,
        parameters=_texts(parameters),
        revision=version,
        environment_manager=env_manager,
        timeout=timeout,
    )
    return service.plan(request, run_wiring.tools(os.environ, request.caller), report).plan


def reproduce(
    run: str = "last",
    *,
    parameters: Mapping[str, object] | None = None,
    tolerances: Mapping[str, str] | None = None,
    data: Mapping[str, str | Path] | None = None,
    times: int = 1,
    offline: bool = False,
    store: str | None = None,
    report: Report = silent,
) -> Reproduction:
    """Does a recorded run again; what comes of it, the verdict among it, is returned whatever that is.

    `run` is an id, a unique prefix of one, a name or `last`. `tolerances` are sizes (`0.01`, `1%`, `0.01abs`)
    by the names of metrics and outputs, or patterns of them; `parameters` make it another run on purpose, and
    give secret ones again; `data` says where inputs are, by name. Raises Altered where the record is not what
    was sealed, NotReproduced for a run without a plan, UsageError and StoreError.
    """
    caller, environ = wiring.current_folder(), dict(os.environ)
    records = wiring.existing_store(store)
    named = tuple(read_named(f"{name}={size}") for name, size in (tolerances or {}).items())
    wish = Wish(
        run=records.find(run),
        caller=caller,
        environ=environ,
        parameters=_texts(parameters),
        data={name: caller / path for name, path in (data or {}).items()},
        tolerances=named,
        times=times,
        offline=offline,
    )
    return do_again(wish, records, run_wiring.tools(environ, caller, store), report)


def load_project(directory: str | Path = ".") -> Project:
    """The project of a folder, read. Raises SpecError where one of its files cannot be."""
    return read_project(Path(directory).absolute())


def open_store(path: str | Path | None = None) -> RunStore:
    """The store at `path`, else the one that the command line would use. Raises StoreError."""
    return wiring.existing_store(None if path is None else str(path))


def _texts(parameters: Mapping[str, object] | None) -> dict[str, str]:
    return {name: str(value) for name, value in (parameters or {}).items()}
