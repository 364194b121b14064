"""`mlproj models`: what a model is, where it stands, and the answers that it gives in its own environment."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from mlproj import run_wiring, wiring
from mlproj.cli import options, promoting, registered, registering
from mlproj.cli.documents import print_document
from mlproj.cli.pages.mlmodel import model_document, model_page
from mlproj.cli.sheet import print_sheet
from mlproj.cli.terminal import reporting, say
from mlproj.cli.words import counted
from mlproj.errors import StoreError, UsageError
from mlproj.model.digest import plain
from mlproj.model.events import Report
from mlproj.model.redaction import STORE_TOKEN
from mlproj.services.configured import VARIABLE
from mlproj.services.found_models import ModelSearch, found_model
from mlproj.services.model_images import build_image
from mlproj.services.request import RunRequest
from mlproj.services.serving import Prediction, Terms
from mlproj.services.serving import predict as predict_file
from mlproj.services.serving import serve as serve_model
from mlproj.settings import size_of
from mlproj.store_ports import RunStore

app = typer.Typer(
    help="Look at models, register them, serve them, and make images of them.",
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

KINDS = {"json": "application/json", "csv": "text/csv"}

ModelArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[MODEL]",
        help="A path, `runs:/RUN/PATH`, `models:/NAME/VERSION`, `models:/NAME@ALIAS` or `…/STAGE`.",
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option("--model-uri", "-m", metavar="MODEL", help="The same, as MLflow has it."),
]


@app.command()
def show(
    model: ModelArgument = None,
    model_uri: ModelOption = None,
    store: options.StoreOption = None,
    as_json: options.JsonOption = False,
) -> int:
    """Show what a model is, and what it came from.

    Flavours, signature, environment and size; run, data and registered versions.
    """
    with reporting() as report, found_model(_search(_named(model, model_uri), store, report)) as found:
        if as_json:
            print_document(model_document(found))
        else:
            print_sheet(model_page(found))
    return 0


@app.command(context_settings={"help_option_names": ["--help"]})
def serve(
    model: ModelArgument = None,
    model_uri: ModelOption = None,
    port: Annotated[
        int, typer.Option("--port", "-p", min=0, max=65535, help="To listen at; 0 for any that is free.")
    ] = 5000,
    host: Annotated[str, typer.Option("--host", "-h", help="The address to listen at.")] = "127.0.0.1",
    workers: Annotated[
        int, typer.Option("--workers", "-w", min=1, max=1000, help="Processes, each with the model.")
    ] = 1,
    timeout: Annotated[
        float, typer.Option("--timeout", "-t", min=0.001, help="Seconds that an answer may take.")
    ] = 60,
    max_body: Annotated[
        str, typer.Option("--max-body", metavar="SIZE", help="The largest body that is taken, as `1GB`.")
    ] = "256MB",
    env_manager: options.ManagerOption = None,
    refresh: options.RefreshOption = False,
    store: options.StoreOption = None,
) -> int:
    """Serve a model, in its own environment.

    It speaks MLflow's scoring protocol: `/invocations` takes what `mlflow models serve`
    takes; `/ping`, `/health` and `/version` answer too.
    """
    terms = Terms(
        host=host, port=port, workers=workers, timeout=timeout, most=size_of("--max-body", max_body)
    )
    with reporting(child_to_stderr=True) as report:
        search = _search(_named(model, model_uri), store, report, env_manager)
        serve_model(_refreshing(search, refresh), terms)
    return 0


@app.command()
def predict(
    model: ModelArgument = None,
    model_uri: ModelOption = None,
    input_path: Annotated[
        Path | None, typer.Option("--input-path", "-i", metavar="FILE", help="To score; else standard input.")
    ] = None,
    output_path: Annotated[
        Path | None,
        typer.Option("--output-path", "-o", metavar="FILE", help="To write to; else standard output."),
    ] = None,
    content_type: Annotated[
        str | None,
        typer.Option(
            "--content-type",
            "-t",
            help=f"Of the input: {' or '.join(KINDS)}; else by the file's name, or json.",
        ),
    ] = None,
    env_manager: options.ManagerOption = None,
    refresh: options.RefreshOption = False,
    store: options.StoreOption = None,
) -> int:
    """Score a file by a model.

    In its own environment: the answer is the one that serving it gives.
    """
    if content_type is None:
        by_name = "" if input_path is None else input_path.suffix.lower().removeprefix(".")
        content_type = by_name if by_name in KINDS else "json"
    kind = KINDS.get(content_type)
    if kind is None:
        raise UsageError(f"the input is {' or '.join(KINDS)}, and not `{content_type}`")
    here = wiring.current_folder()
    if input_path is not None and not (here / input_path).is_file():
        raise UsageError(f"there is no file `{input_path}` to score")
    prediction = Prediction(
        source=None if input_path is None else here / input_path,
        target=None if output_path is None else here / output_path,
        kind=kind,
    )
    with reporting(child_to_stderr=True) as report:
        search = _search(_named(model, model_uri), store, report, env_manager)
        predict_file(_refreshing(search, refresh), prediction)
    return 0


@app.command()
def fetch(
    model: ModelArgument = None,
    model_uri: ModelOption = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Where to put it; else beside its name here."),
    ] = None,
    store: options.StoreOption = None,
    as_json: options.JsonOption = False,
) -> int:
    """Copy the files of a model to a folder that is not there yet."""
    with reporting() as report, found_model(_search(_named(model, model_uri), store, report)) as found:
        target = wiring.current_folder() / (output or Path(found.place.name))
        if target.exists():
            raise UsageError(f"`{target}` is there already", hint="name another folder with `--output`")
        try:
            if found.place.is_dir():
                shutil.copytree(found.place, target)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(found.place, target)
        except OSError as error:
            raise UsageError(f"`{target}` cannot be written: {error.strerror}") from error
        if as_json:
            document = {"schema": "mlproj/fetched-model/1", "path": str(target), "digest": found.digest}
            print_document({**document, "size": found.size})
        else:
            typer.echo(target)
    return 0


@app.command("build-docker")
def build_docker(
    model: ModelArgument = None,
    model_uri: ModelOption = None,
    name: Annotated[
        str, typer.Option("--name", "-n", metavar="NAME", help="What to call the image.")
    ] = "mlproj-model",
    base: Annotated[
        str | None,
        typer.Option("--base", metavar="IMAGE", help="With the model's Python; else `python:VERSION-slim`."),
    ] = None,
    env_manager: options.ManagerOption = None,
    refresh: options.RefreshOption = False,
    store: options.StoreOption = None,
    as_json: options.JsonOption = False,
) -> int:
    """Make an image that serves a model.

    At port 8080, in the model's own environment, as `models serve` does.
    """
    with reporting(child_to_stderr=True) as report:
        search = _refreshing(_search(_named(model, model_uri), store, report, env_manager), refresh)
        made = build_image(search, wiring.image_makers(search.request.environ), name, base)
    if as_json:
        print_document({"schema": "mlproj/model-image/1", **plain(made)})
    else:
        say(f"the image is `{made.name}` ({counted(made.environment.packages, 'package')}, on `{made.base}`)")
        say(f"`docker run -p {made.port}:{made.port} {made.name}` serves the model")
    return 0


def _named(argument: str | None, option: str | None) -> str:
    if (argument is None) == (option is None):
        raise UsageError("one model is to be named", hint="such as `models:/NAME/1`, or the path of one")
    return argument or option or ""


def _search(uri: str, store: str | None, report: Report, env_manager: str | None = None) -> ModelSearch:
    environ = {**os.environ}
    far = wiring.far_address(store, environ)
    if far is not None:
        # Whoever has the store has its models.
        token = environ.get(STORE_TOKEN)
        environ.update({VARIABLE: far, **({"MLFLOW_TRACKING_TOKEN": token} if token else {})})
    request = RunRequest(
        uri=uri, caller=wiring.current_folder(), environ=environ, environment_manager=env_manager
    )
    records = _store(store)
    tools = run_wiring.tools(environ, request.caller, store)
    return ModelSearch(
        request=request,
        tools=msgspec.structs.replace(tools, open_store=lambda: wiring.existing_store(store)),
        store=records,
        report=report,
    )


def _refreshing(search: ModelSearch, refresh: bool) -> ModelSearch:
    request = msgspec.structs.replace(search.request, refresh=refresh)
    return msgspec.structs.replace(search, request=request)


def _store(given: str | None) -> RunStore | None:
    """The store here, or None where there is none: a model may lie anywhere."""
    try:
        return wiring.existing_store(given)
    except StoreError as error:
        if given is not None:
            say(f"note: which run made the model is not known: {error.message}")
        return None


for _part in (registering.app, registered.app, promoting.app):
    app.registered_commands += _part.registered_commands
