"""Runs the steps of a pipeline by mlproj: each is built, recorded and found as a child of this run."""

import atexit
import functools
import inspect
import logging
import os
import subprocess
import time
import uuid
from importlib import import_module
from typing import Any, Dict, List, Mapping, Optional

from .endpoint import Endpoint
from .reuse import Step
from .run import Run

PATIENCE = 5
"""Seconds that an interrupted step has to end by itself: a Ctrl-C reaches it as well."""

_logger = logging.getLogger("mlflow.projects")


def mend(module: Any, run: Run, endpoint: Endpoint) -> None:
    """Mends `mlflow.projects`: MLflow's own `run` still serves other backends and other servers.

    A run that has an id already is one of MLflow's own making, and left to it as well.
    """
    original = module.run
    signature = inspect.signature(original)

    @functools.wraps(original)
    def run_step(*given: Any, **named: Any) -> Any:
        bound = signature.bind(*given, **named)
        bound.apply_defaults()
        arguments = bound.arguments
        is_ours = arguments.get("backend", "local") == "local" and arguments.get("run_id") is None
        if run.executable is None or not is_ours or not endpoint.is_current():
            return original(*given, **named)
        submitted = _submit(dict(arguments), run)
        # Where there is no mlproj (in a container, say), MLflow does what it can.
        return original(*given, **named) if submitted is None else _follow(submitted, arguments, endpoint)

    module.run = run_step


def _submit(arguments: Dict[str, Any], run: Run) -> Any:
    """Starts the step, and returns what MLflow calls a submitted run; None where mlproj cannot be started.

    At a server that a person configured the step's run is made first, as MLflow makes it: ids are its own.
    """
    if arguments.get("experiment_name") and arguments.get("experiment_id"):
        problem = "Specify only one of 'experiment_name' or 'experiment_id'."
        raise import_module("mlflow.exceptions").MlflowException(problem)
    experiment, environ = _experiment(arguments, run)
    run_id = _begun_elsewhere(arguments, environ) if run.is_elsewhere else uuid.uuid4().hex
    command = [*(run.executable or ()), "run", "--run-id", run_id, *experiment, *_options(arguments, run)]
    step = Step(environ) if run.reuses else None
    try:
        process = subprocess.Popen([*command, "--", str(arguments["uri"])], env=environ)
    except OSError:
        if run.is_elsewhere:
            _client().delete_run(run_id)
        return None
    submitted = import_module("mlflow.projects.submitted_run").LocalSubmittedRun(run_id, process)
    submitted._mlproj_step = step
    return submitted


def _follow(submitted: Any, arguments: Mapping[str, Any], endpoint: Endpoint) -> Any:
    """Waits for the step as long as the script wants it to."""
    process = submitted.command_proc
    if arguments.get("synchronous", True):
        try:
            _wait(submitted, process)
        finally:
            endpoint.fail(submitted.run_id)
            _adopt(submitted, process, endpoint)
    else:
        atexit.register(_finish, submitted, process, os.getpid(), endpoint)
        _await_beginning(submitted.run_id, process, endpoint)
        _adopt(submitted, process, endpoint)
    return submitted


def _adopt(submitted: Any, process: "subprocess.Popen[bytes]", endpoint: Endpoint) -> None:
    """Has a step that has ended be the earlier run that it stands for, if it does."""
    if submitted._mlproj_step is not None and process.poll() is not None:
        submitted._mlproj_step.adopt(submitted, endpoint)


def _options(arguments: Dict[str, Any], run: Run) -> List[str]:
    manager = arguments.get("env_manager") or run.environment_manager
    if arguments.get("use_conda") is False:
        manager = "local"
    single = (
        ("--entry-point", arguments.get("entry_point")),
        ("--version", arguments.get("version")),
        ("--env-manager", manager),
        ("--run-name", arguments.get("run_name")),
        ("--storage-dir", arguments.get("storage_dir")),
    )
    options = [word for name, value in single if value for word in (name, str(value))]
    for name, value in (arguments.get("parameters") or {}).items():
        options += ["-P", f"{name}={value}"]
    for name, value in (arguments.get("docker_args") or {}).items():
        options += ["-A", name if value is True else f"{name}={value}"]
    return [*options, "--build-image"] if arguments.get("build_image") else options


def _experiment(arguments: Dict[str, Any], run: Run) -> "tuple[List[str], Dict[str, str]]":
    """The options that name an experiment, and the step's variables.

    An experiment that is only handed down (MLflow's command line takes it from the environment) goes on in
    the environment, so that it does not look as if a person had named it.
    """
    environ = dict(os.environ)
    given = (("NAME", arguments.get("experiment_name")), ("ID", arguments.get("experiment_id")))
    options: List[str] = []
    for kind, value in given:
        if value and str(value) != environ.get(f"MLFLOW_EXPERIMENT_{kind}"):
            options = ["--experiment-" + kind.lower(), str(value)]
    current = None if options else _current_experiment()
    for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"):
        environ.pop(name, None)
    if current is not None:
        environ["MLFLOW_EXPERIMENT_ID"] = current
    environ["MLFLOW_TRACKING_URI"] = run.tracking_uri
    parent = _active_run() or run.run_id
    environ["MLPROJ_PARENT_RUN_ID"] = run.own_id if run.is_elsewhere else parent
    if run.is_elsewhere:
        environ["MLPROJ_TRACKING_RUN_ID"] = parent
    return options, environ


def _begun_elsewhere(arguments: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """A run of the step at the server, below the one that is its parent there."""
    experiment, client = arguments.get("experiment_id"), _client()
    if arguments.get("experiment_name"):
        found = client.get_experiment_by_name(arguments["experiment_name"])
        experiment = (
            client.create_experiment(arguments["experiment_name"]) if found is None else found.experiment_id
        )
    chosen = str(experiment or environ.get("MLFLOW_EXPERIMENT_ID", "0"))
    begun = client.create_run(chosen, tags={"mlflow.parentRunId": environ["MLPROJ_TRACKING_RUN_ID"]})
    return str(begun.info.run_id)


def _client() -> Any:
    return import_module("mlflow.tracking.client").MlflowClient()


def _current_experiment() -> Optional[str]:
    try:
        found = import_module("mlflow.tracking.fluent")._get_experiment_id()
    except Exception:
        found = os.environ.get("MLFLOW_EXPERIMENT_ID")
    return None if found is None else str(found)


def _active_run() -> Optional[str]:
    active = import_module("mlflow.tracking.fluent").active_run()
    return None if active is None else str(active.info.run_id)


def _wait(submitted: Any, process: "subprocess.Popen[bytes]") -> None:
    try:
        succeeded = submitted.wait()
    except KeyboardInterrupt:
        _logger.error("=== Run (ID '%s') interrupted, cancelling run ===", submitted.run_id)
        _cancel(submitted, process)
        raise
    if not succeeded:
        raise _failure(f"Run (ID '{submitted.run_id}') failed")
    _logger.info("=== Run (ID '%s') succeeded ===", submitted.run_id)


def _cancel(submitted: Any, process: "subprocess.Popen[bytes]") -> None:
    try:
        process.wait(PATIENCE)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        submitted.cancel()


def _await_beginning(run_id: str, process: "subprocess.Popen[bytes]", endpoint: Endpoint) -> None:
    """Returns once the step can be looked up. Raises where it ended before there was anything to look up."""
    pause = 0.05
    while process.poll() is None:
        if endpoint.has(run_id):
            return
        time.sleep(pause)
        pause = min(1.5 * pause, 0.5)
    if process.returncode != 0 and not endpoint.has(run_id):
        raise _failure(f"Run (ID '{run_id}') could not begin")


def _finish(submitted: Any, process: "subprocess.Popen[bytes]", owner: int, endpoint: Endpoint) -> None:
    """Holds the end of the program until its step has ended, as MLflow promises."""
    if os.getpid() != owner:
        return
    try:
        process.wait()
    except KeyboardInterrupt:
        _cancel(submitted, process)
    endpoint.fail(submitted.run_id)
    _adopt(submitted, process, endpoint)


def _failure(message: str) -> Exception:
    failure: Exception = import_module("mlflow.exceptions").ExecutionException(message)
    return failure
