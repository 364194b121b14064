"""What is said of things that are not there: the same, too, of those that somebody may not see."""

from __future__ import annotations

from mlproj.errors import NotFound, RunNotFound


def no_experiment(experiment_id: str) -> NotFound:
    return NotFound(f"No Experiment with id={experiment_id} exists")


def no_experiment_named(name: str) -> NotFound:
    return NotFound(f"Could not find experiment with name '{name}'")


def no_run(run_id: str) -> RunNotFound:
    return RunNotFound(f"Run with id={run_id} not found")


def no_logged_model(model_id: str) -> NotFound:
    return NotFound(f"Logged model with ID '{model_id}' not found.")


def no_registered_model(name: str) -> NotFound:
    return NotFound(f"Registered Model with name={name} not found")


def no_version(name: str, version: int) -> NotFound:
    return NotFound(f"Model Version (name={name}, version={version}) not found")


def no_trace(trace_id: str) -> NotFound:
    return NotFound(f"Trace with ID '{trace_id}' not found.")
