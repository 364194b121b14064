"""What a person asks of a run, read from the options of whatever command starts one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from mlproj.cli.env_file import named_in_env_files
from mlproj.errors import UsageError
from mlproj.model.encoding import is_text
from mlproj.model.environment import Isolation
from mlproj.planning.parameters import parse_assignments
from mlproj.services.request import RunRequest
from mlproj.spec.docker_arguments import parse_arguments
from mlproj.spec.duration import seconds
from mlproj.spec.instant import instant


def read_request(
    context: typer.Context, caller: Path, environ: Mapping[str, str], secrets: tuple[str, ...]
) -> RunRequest:
    """The request that the command's options make, those of `run_options` and what else `mlproj run` has of
    its own. Raises UsageError for what cannot be meant."""
    given: dict[str, Any] = context.params
    _refuse(given)
    timeout, storage, as_of = given["timeout"], given["storage_dir"], given.get("as_of")
    return RunRequest(
        uri=given["uri"],
        caller=caller,
        environ=environ,
        entry_point=given["entry_point"],
        parameters=parse_assignments(tuple(given["parameter"] or ())),
        revision=given["version"],
        environment_manager=given["env_manager"],
        experiment=given["experiment_name"],
        experiment_id=given["experiment_id"],
        run_name=given.get("run_name"),
        run_id=given.get("run_id"),
        inputs=tuple(given["inputs"] or ()),
        outputs=tuple(given["outputs"] or ()),
        tags=tuple(parse_assignments(tuple(given["tags"] or ()), option="--tag").items()),
        timeout=None if timeout is None else seconds(timeout),
        keep=tuple(given["keep"] or ()),
        storage=None if storage is None else Path(storage),
        refresh=given.get("refresh", False),
        as_of=None if as_of is None else instant(as_of),
        require_clean=given["require_clean"],
        experiment_given=_is_given(context, "experiment_name") or _is_given(context, "experiment_id"),
        tracking=not given["no_tracking"],
        tracking_uri=given["tracking_uri"],
        script_tracking=given["script_tracking"],
        hook=not given["no_hook"],
        parent=os.environ.get("MLPROJ_PARENT_RUN_ID") or os.environ.get("MLPROJ_RUN_ID"),
        secrets=secrets,
        docker_arguments=parse_arguments(given["docker_args"] or ()),
        build_image=given["build_image"],
        isolation=_isolation(context, given["isolated"], given["allow_network"]),
        trace=given["trace"],
        strict_inputs=given["strict_inputs"],
        reuse=given.get("reuse", False),
    )


def _refuse(given: Mapping[str, Any]) -> None:
    if given["experiment_name"] is not None and given["experiment_id"] is not None:
        raise UsageError(
            "`--experiment-name` and `--experiment-id` exclude each other", hint="give one of them"
        )
    named = (
        ("--run-name", given.get("run_name")),
        ("--experiment-name", given["experiment_name"]),
        ("--tag", " ".join(given["tags"] or ())),
        ("--output", " ".join(given["outputs"] or ())),
    )
    for option, text in named:
        if text is not None and not is_text(text):
            raise UsageError(f"`{option}` is no text in UTF-8, and a record holds nothing else")


def _isolation(context: typer.Context, isolated: bool, allow_network: bool) -> Isolation | None:
    """What `--env-file` names is given to an isolated run, too: a person has said so."""
    if not isolated:
        if allow_network:
            raise UsageError(
                "`--allow-network` means nothing without `--isolated`", hint="other runs have the network"
            )
        return None
    return Isolation(network=allow_network, variables=named_in_env_files(context))


def _is_given(context: typer.Context, option: str) -> bool:
    """Whether a person gave the option. A run inside a run finds the outer one's in its environment."""
    source = context.get_parameter_source(option)
    if source is None or source.name == "DEFAULT":
        return False
    return source.name != "ENVIRONMENT" or "MLPROJ_RUN_ID" not in os.environ
