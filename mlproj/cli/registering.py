"""The part of `mlproj models` that registers models and finds what is registered."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlproj import wiring
from mlproj.cli.documents import print_document
from mlproj.cli.options import JsonOption, StoreOption
from mlproj.cli.pages.registry import (
    model_document,
    model_page,
    models_page,
    version_document,
    version_page,
    versions_page,
)
from mlproj.cli.registrar import Registrar, origin_of, registrar
from mlproj.cli.registry_options import NameArgument, ThingArgument, WhyOption, read_pair
from mlproj.cli.registry_questions import (
    BELOW,
    Reference,
    move,
    read_reference,
    register,
    searched,
    version_of,
    versions_of,
)
from mlproj.cli.sheet import print_sheet
from mlproj.errors import UsageError
from mlproj.model.registry import Origin, Stage
from mlproj.model.run import MODEL_FILE
from mlproj.server.wire.registry import (
    NamedModel,
    OneRegisteredModel,
    RegisteredModels,
    SearchModelVersions,
    SearchRegisteredModels,
    SetAlias,
    ToldVersion,
)
from mlproj.server.wire.values import Empty

app = typer.Typer()

FilterOption = Annotated[
    str, typer.Option("--filter", metavar="FILTER", help="As MLflow has it: \"name LIKE 'wine%'\".")
]
SortOption = Annotated[
    list[str] | None, typer.Option("--order-by", metavar="KEY", help="Such as `name DESC`.")
]
StageOption = Annotated[
    Stage | None, typer.Option("--stage", metavar="STAGE", help="To put it into.", case_sensitive=False)
]
TagsOption = Annotated[list[str] | None, typer.Option("--tag", metavar="KEY=VALUE", help="Repeatable.")]


@app.command()
def add(
    name: NameArgument,
    source: Annotated[
        str, typer.Argument(metavar="MODEL", help="`runs:/RUN/PATH`, `models:/…`, a folder, or any address.")
    ],
    description: Annotated[str, typer.Option("--description", metavar="TEXT")] = "",
    tag: TagsOption = None,
    alias: Annotated[list[str] | None, typer.Option("--alias", metavar="ALIAS", help="Repeatable.")] = None,
    stage: StageOption = None,
    why: WhyOption = "",
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Register a model, as the next version of NAME.

    NAME is made if need be. A folder on this machine is of no run: its files are taken
    into the store, or sent to the server.
    """
    tags = tuple(map(read_pair, tag or ()))
    with registrar(store, create=True) as kept:
        made = register(kept, name, _origin(kept, name, source, store), description, tags, why)
        for each in alias or ():
            asked = SetAlias(name=name, alias=each, version=made.version, why=why or None)
            kept.ask("POST", f"{BELOW}/registered-models/alias", asked, Empty)
        if stage is not None:
            move(kept, made, stage, why)
        _tell_version(version_of(kept, Reference(name=name, version=int(made.version))), as_json)
    return 0


@app.command("list")
def listing(
    filter: FilterOption = "",
    order_by: SortOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """List registered models."""
    with registrar(store) as kept:
        found = searched(
            lambda token: kept.ask(
                "GET",
                f"{BELOW}/registered-models/search",
                SearchRegisteredModels(filter=filter, order_by=tuple(order_by or ()), page_token=token),
                RegisteredModels,
            ),
            lambda answer: answer.registered_models,
        )
    if as_json:
        models = [model_document(each) for each in found]
        print_document({"schema": "mlproj/registered-models/1", "models": models})
    else:
        print_sheet(models_page(found))
    return 0


@app.command()
def search(
    filter: Annotated[
        str, typer.Argument(metavar="[FILTER]", help="As MLflow has it: \"name = 'wine' AND run_id = '…'\".")
    ] = "",
    filter_option: Annotated[str, typer.Option("--filter", metavar="FILTER", help="The same.")] = "",
    order_by: SortOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """List versions of registered models."""
    if filter and filter_option:
        raise UsageError("one filter is to be given", hint="join two by `AND`")
    with registrar(store) as kept:
        wanted = filter or filter_option
        found = versions_of(kept, SearchModelVersions(filter=wanted, order_by=tuple(order_by or ())))
    if as_json:
        versions = [version_document(each) for each in found]
        print_document({"schema": "mlproj/model-versions/1", "versions": versions})
    else:
        print_sheet(versions_page(found))
    return 0


@app.command()
def get(thing: ThingArgument, store: StoreOption = None, as_json: JsonOption = False) -> int:
    """Tell of a registered model, or a version."""
    with registrar(store) as kept:
        reference = read_reference(thing)
        if not reference.is_model:
            _tell_version(version_of(kept, reference), as_json)
            return 0
        asked = NamedModel(name=reference.name)
        model = kept.ask("GET", f"{BELOW}/registered-models/get", asked, OneRegisteredModel).registered_model
        quoted = reference.name.replace("'", "''")
        found = versions_of(kept, SearchModelVersions(filter=f"name = '{quoted}'"))
        found.sort(key=lambda version: -int(version.version))
    if as_json:
        versions = [version_document(each) for each in found]
        document = {"schema": "mlproj/registered-model/1", **model_document(model), "versions": versions}
        print_document(document)
    else:
        print_sheet(model_page(model, found))
    return 0


def _origin(kept: Registrar, name: str, source: str, store: str | None) -> Origin:
    if source.startswith("runs:"):
        return origin_of(kept, source, store)
    if "://" in source or source.startswith(("models:", "mlflow-artifacts:")):
        return Origin(source=source)
    place = wiring.current_folder() / source.removeprefix("file:")
    _refuse_no_model(source, place)
    return kept.keep(place, name)


def _refuse_no_model(source: str, place: Path) -> None:
    if not place.exists():
        raise UsageError(f"there is no model `{source}`", hint="a folder, `runs:/RUN/PATH` or an address")
    if not (place / MODEL_FILE).is_file():
        raise UsageError(
            f"`{source}` is no folder with an `{MODEL_FILE}`",
            hint="what a run left is registered as `runs:/RUN/PATH`, whatever it is",
        )


def _tell_version(version: ToldVersion, as_json: bool) -> None:
    if as_json:
        print_document({"schema": "mlproj/model-version/1", **version_document(version)})
    else:
        print_sheet(version_page(version))
