"""The options that say what a run is to be, for whatever command starts one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EntryPointOption = Annotated[
    str,
    typer.Option("--entry-point", "-e", metavar="NAME", help="The entry point, or a .py or .sh file."),
]
ParametersOption = Annotated[
    list[str] | None,
    typer.Option("--param-list", "-P", metavar="NAME=VALUE", help="A parameter's value; repeatable."),
]
ExperimentNameOption = Annotated[
    str | None,
    typer.Option(
        "--experiment-name", envvar="MLFLOW_EXPERIMENT_NAME", help="The experiment to record under."
    ),
]
ExperimentIdOption = Annotated[
    str | None,
    typer.Option("--experiment-id", envvar="MLFLOW_EXPERIMENT_ID", help="The same, by its id."),
]
DockerArgumentsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--docker-args",
        "-A",
        metavar="NAME[=VALUE]",
        help="An option of `docker run`, such as `gpus=all`, for a Docker project; repeatable.",
    ),
]
StorageOption = Annotated[
    Path | None,
    typer.Option(
        "--storage-dir",
        envvar="MLFLOW_TMP_DIR",
        help="Where to download `path` parameters given as URIs.",
    ),
]
BuildImageOption = Annotated[
    bool, typer.Option("--build-image", help="Have an image made that holds the Docker project's code.")
]
InputsOption = Annotated[
    list[str] | None,
    typer.Option("--input", metavar="PATH", help="A further file or folder to digest; repeatable."),
]
OutputsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--output", metavar="PATH", help="A further file or folder of the project to keep; repeatable."
    ),
]
TagsOption = Annotated[
    list[str] | None, typer.Option("--tag", metavar="NAME=VALUE", help="A tag; repeatable.")
]
TimeoutOption = Annotated[
    str | None, typer.Option("--timeout", metavar="TIME", help="Stop the run after 90, 90s, 15m or 2h.")
]
KeepOption = Annotated[
    list[str] | None,
    typer.Option("--keep", metavar="PATH", help="Snapshot this file although it is large or looks secret."),
]
RequireCleanOption = Annotated[
    bool, typer.Option("--require-clean", help="Refuse to run anything but a clean git commit.")
]
TrackingUriOption = Annotated[
    str | None,
    typer.Option(
        "--tracking-uri",
        metavar="URI",
        help="The MLflow server to have the run at, too; else `MLFLOW_TRACKING_URI`, if it names one.",
    ),
]
NoTrackingOption = Annotated[
    bool, typer.Option("--no-tracking", help="Take in nothing that the script logs by MLflow.")
]
ScriptTrackingOption = Annotated[
    bool,
    typer.Option(
        "--script-tracking", help="Let the script log where its `set_tracking_uri` says, and not here."
    ),
]
NoHookOption = Annotated[
    bool,
    typer.Option(
        "--no-hook",
        help="Have nothing of ours in the script's Python, which mends MLflow and sees what is read.",
    ),
]
TraceOption = Annotated[
    str,
    typer.Option(
        "--trace",
        metavar="HOW",
        envvar="MLPROJ_TRACE",
        help="See what is read: `python` programs do, `full` by `strace`, or `off`.",
    ),
]
StrictInputsOption = Annotated[
    bool,
    typer.Option(
        "--strict-inputs",
        envvar="MLPROJ_STRICT_INPUTS",
        help="Fail a run that read data which nobody declared.",
    ),
]
IsolatedOption = Annotated[
    bool,
    typer.Option("--isolated", help="Without network, and seeing only what the record names."),
]
AllowNetworkOption = Annotated[
    bool, typer.Option("--allow-network", help="Let an isolated run have the network nevertheless.")
]
