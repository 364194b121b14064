"""The part of `mlproj models` that is about registered models: what has a name, versions, stages, aliases."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from mlproj import wiring
from mlproj.cli.documents import print_document
from mlproj.cli.options import JsonOption, StoreOption
from mlproj.cli.pages.registry import (
    history_document,
    history_page,
    model_document,
    model_page,
    models_page,
    version_document,
    version_page,
    versions_page,
)
from mlproj.cli.registrar import Registrar, registrar
from mlproj.cli.registry_questions import (
    Reference,
    history,
    move,
    read_reference,
    register,
    searched,
    version_of,
    versions_of,
)
from mlproj.cli.sheet import print_sheet
from mlproj.cli.terminal import say
from mlproj.errors import UsageError
from mlproj.model.registry import Origin, Stage
from mlproj.model.run import MODEL_FILE
from mlproj.server.wire.registry import (
    DeleteAlias,
    DeleteModelVersion,
    DeleteModelVersionTag,
    DeleteRegisteredModel,
    DeleteRegisteredModelTag,
    NamedModel,
    OneRegisteredModel,
    OneVersion,
    RegisteredModels,
    RenameRegisteredModel,
    SearchModelVersions,
    SearchRegisteredModels,
    SetAlias,
    SetModelVersionTag,
    SetRegisteredModelTag,
    ToldVersion,
    UpdateModelVersion,
    UpdateRegisteredModel,
)
from mlproj.server.wire.values import Empty

BELOW = "2.0/mlflow"
app = typer.Typer()

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Of a registered model.")]
VersionArgument = Annotated[
    str,
    typer.Argument(
        metavar="VERSION", help="`NAME/NUMBER`, `NAME@ALIAS` or `NAME/STAGE`; with `NAME` alone, the newest."
    ),
]
ThingArgument = Annotated[
    str, typer.Argument(metavar="NAME[/VERSION]", help="A registered model, or a version: `wine/2`.")
]
WhyOption = Annotated[str, typer.Option("--why", metavar="TEXT", help="Kept on the record.")]
ArchiveOption = Annotated[
    bool, typer.Option("--archive-existing", help="Archive the other versions in that stage.")
]
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
    """Register a model: the next version of NAME, which is made if need be.

    A folder on this machine is of no run: its files are taken into the store, or sent to the server.
    """
    tags = tuple(map(_pair, tag or ()))
    with registrar(store, create=True) as kept:
        made = register(kept, name, _origin(kept, name, source), description, tags, why)
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
    order_by: SortOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """List versions of registered models."""
    with registrar(store) as kept:
        found = versions_of(kept, SearchModelVersions(filter=filter, order_by=tuple(order_by or ())))
    if as_json:
        versions = [version_document(each) for each in found]
        print_document({"schema": "mlproj/model-versions/1", "versions": versions})
    else:
        print_sheet(versions_page(found))
    return 0


@app.command()
def get(thing: ThingArgument, store: StoreOption = None, as_json: JsonOption = False) -> int:
    """Tell of a registered model and its versions, or of one version."""
    with registrar(store) as kept:
        reference = read_reference(thing)
        if not reference.is_model:
            _tell_version(version_of(kept, reference), as_json)
            return 0
        asked = NamedModel(name=reference.name)
        model = kept.ask("GET", f"{BELOW}/registered-models/get", asked, OneRegisteredModel).registered_model
        quoted = reference.name.replace("'", "''")
        found = versions_of(kept, SearchModelVersions(filter=f"name = '{quoted}'"))
    if as_json:
        versions = [version_document(each) for each in found]
        document = {"schema": "mlproj/registered-model/1", **model_document(model), "versions": versions}
        print_document(document)
    else:
        print_sheet(model_page(model, found))
    return 0


@app.command()
def describe(
    thing: ThingArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="In Markdown.")],
    store: StoreOption = None,
) -> int:
    """Say what a registered model, or a version, is."""
    with registrar(store) as kept:
        reference = read_reference(thing)
        if reference.is_model:
            asked = UpdateRegisteredModel(name=reference.name, description=text)
            kept.ask("PATCH", f"{BELOW}/registered-models/update", asked, OneRegisteredModel)
        else:
            found = version_of(kept, reference)
            of_version = UpdateModelVersion(name=found.name, version=found.version, description=text)
            kept.ask("PATCH", f"{BELOW}/model-versions/update", of_version, OneVersion)
    return 0


@app.command()
def rename(
    name: NameArgument,
    new: Annotated[str, typer.Argument(metavar="NEW")],
    why: WhyOption = "",
    store: StoreOption = None,
) -> int:
    """Give a registered model another name."""
    with registrar(store) as kept:
        asked = RenameRegisteredModel(name=name, new_name=new, why=why or None)
        kept.ask("POST", f"{BELOW}/registered-models/rename", asked, OneRegisteredModel)
    return 0


@app.command()
def stage(
    version: VersionArgument,
    to: Annotated[
        Stage,
        typer.Argument(metavar="STAGE", help="None, Staging, Production or Archived.", case_sensitive=False),
    ],
    archive_existing: ArchiveOption = False,
    why: WhyOption = "",
    store: StoreOption = None,
) -> int:
    """Move a version to another stage; into Production by the model's rules, if it has some."""
    with registrar(store) as kept:
        found = version_of(kept, read_reference(version))
        move(kept, found, to, why, archive_existing=archive_existing)
    say(f"version {found.version} of `{found.name}`: {found.current_stage} -> {to.value}")
    return 0


@app.command()
def archive(version: VersionArgument, why: WhyOption = "", store: StoreOption = None) -> int:
    """Move a version to the stage Archived."""
    return stage(version, Stage.ARCHIVED, why=why, store=store)


@app.command()
def delete(
    thing: ThingArgument,
    all_versions: Annotated[
        bool, typer.Option("--all-versions", help="Delete a registered model that has versions.")
    ] = False,
    why: WhyOption = "",
    store: StoreOption = None,
) -> int:
    """Delete a version, or a registered model with all its versions. What its run left stays."""
    with registrar(store) as kept:
        reference = read_reference(thing)
        if not reference.is_model:
            found = version_of(kept, reference)
            of_version = DeleteModelVersion(name=found.name, version=found.version, why=why or None)
            kept.ask("DELETE", f"{BELOW}/model-versions/delete", of_version, Empty)
            return 0
        asked = NamedModel(name=reference.name)
        model = kept.ask("GET", f"{BELOW}/registered-models/get", asked, OneRegisteredModel).registered_model
        if model.latest_versions and not all_versions:
            raise UsageError(
                f"the registered model `{model.name}` has versions",
                hint="`--all-versions` deletes it with them, `models delete NAME/NUMBER` deletes one",
            )
        named = DeleteRegisteredModel(name=model.name, why=why or None)
        kept.ask("DELETE", f"{BELOW}/registered-models/delete", named, Empty)
    return 0


@app.command()
def alias(
    version: VersionArgument,
    alias: Annotated[str, typer.Argument(metavar="ALIAS")],
    remove: Annotated[bool, typer.Option("--remove", "-d", help="Take the alias away.")] = False,
    why: WhyOption = "",
    store: StoreOption = None,
) -> int:
    """Have an alias stand for a version, or for none any more."""
    with registrar(store) as kept:
        path, reference = f"{BELOW}/registered-models/alias", read_reference(version)
        if remove:
            kept.ask("DELETE", path, DeleteAlias(name=reference.name, alias=alias, why=why or None), Empty)
        else:
            found = version_of(kept, reference)
            asked = SetAlias(name=found.name, alias=alias, version=found.version, why=why or None)
            kept.ask("POST", path, asked, Empty)
    return 0


@app.command()
def tag(
    thing: ThingArgument,
    pairs: Annotated[list[str], typer.Argument(metavar="KEY=VALUE...", help="With `--remove`, keys.")],
    remove: Annotated[bool, typer.Option("--remove", "-d", help="Take tags away.")] = False,
    store: StoreOption = None,
) -> int:
    """Set tags of a registered model or of a version, or take them away."""
    with registrar(store) as kept:
        reference = read_reference(thing)
        number = None if reference.is_model else version_of(kept, reference).version
        for pair in pairs:
            _tag(kept, reference.name, number, *((pair, None) if remove else _pair(pair)))
    return 0


@app.command("history")
def show_history(name: NameArgument, store: StoreOption = None, as_json: JsonOption = False) -> int:
    """Tell what was done to a registered model: who moved what where, and why."""
    with registrar(store) as kept:
        changes = history(kept, name)
    if as_json:
        print_document(history_document(name, changes))
    else:
        print_sheet(history_page(changes))
    return 0


def _tag(kept: Registrar, name: str, number: str | None, key: str, value: str | None) -> None:
    """Sets a tag, or with no value takes it away."""
    asked: msgspec.Struct
    if number is None:
        below = f"{BELOW}/registered-models"
        if value is None:
            asked = DeleteRegisteredModelTag(name=name, key=key)
        else:
            asked = SetRegisteredModelTag(name=name, key=key, value=value)
    else:
        below = f"{BELOW}/model-versions"
        if value is None:
            asked = DeleteModelVersionTag(name=name, version=number, key=key)
        else:
            asked = SetModelVersionTag(name=name, version=number, key=key, value=value)
    if value is None:
        kept.ask("DELETE", f"{below}/delete-tag", asked, Empty)
    else:
        kept.ask("POST", f"{below}/set-tag", asked, Empty)


def _pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not key or not separator:
        raise UsageError(f"`{text}` is no tag", hint="write `KEY=VALUE`")
    return key, value


def _origin(kept: Registrar, name: str, source: str) -> Origin:
    if source.startswith("runs:"):
        return kept.origin(source)
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
