"""The part of `mlproj models` that changes what is registered, and tells who changed what."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from mlproj.cli.documents import print_document
from mlproj.cli.options import JsonOption, StoreOption
from mlproj.cli.pages.registry import history_document, history_page
from mlproj.cli.registrar import Registrar, registrar
from mlproj.cli.registry_options import (
    ArchiveOption,
    NameArgument,
    ThingArgument,
    VersionArgument,
    WhyOption,
    read_pair,
)
from mlproj.cli.registry_questions import BELOW, history, move, read_reference, version_of
from mlproj.cli.sheet import print_sheet
from mlproj.cli.terminal import say
from mlproj.errors import UsageError
from mlproj.model.registry import Stage
from mlproj.server.wire.registry import (
    DeleteAlias,
    DeleteModelVersion,
    DeleteModelVersionTag,
    DeleteRegisteredModel,
    DeleteRegisteredModelTag,
    NamedModel,
    OneRegisteredModel,
    OneVersion,
    RenameRegisteredModel,
    SetAlias,
    SetModelVersionTag,
    SetRegisteredModelTag,
    UpdateModelVersion,
    UpdateRegisteredModel,
)
from mlproj.server.wire.values import Empty

app = typer.Typer()


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
    say(f"`{name}` is called `{new}` from now on")
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
    """Move a version to another stage.

    Into Production by the model's rules, if it has some.
    """
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
    """Delete a version, or a registered model.

    What its run left stays.
    """
    with registrar(store) as kept:
        reference = read_reference(thing)
        if not reference.is_model:
            found = version_of(kept, reference)
            of_version = DeleteModelVersion(name=found.name, version=found.version, why=why or None)
            kept.ask("DELETE", f"{BELOW}/model-versions/delete", of_version, Empty)
            say(f"version {found.version} of `{found.name}` is deleted")
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
    say(f"the registered model `{model.name}` is deleted")
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
            say(f"`{reference.name}@{alias}` names no version any more")
        else:
            found = version_of(kept, reference)
            asked = SetAlias(name=found.name, alias=alias, version=found.version, why=why or None)
            kept.ask("POST", path, asked, Empty)
            say(f"`{found.name}@{alias}` is version {found.version}")
    return 0


@app.command()
def tag(
    thing: ThingArgument,
    pairs: Annotated[list[str], typer.Argument(metavar="KEY=VALUE...", help="With `--remove`, keys.")],
    remove: Annotated[bool, typer.Option("--remove", "-d", help="Take tags away.")] = False,
    store: StoreOption = None,
) -> int:
    """Tag a registered model, or a version."""
    with registrar(store) as kept:
        reference = read_reference(thing)
        number = None if reference.is_model else version_of(kept, reference).version
        for pair in pairs:
            _tag(kept, reference.name, number, *((pair, None) if remove else read_pair(pair)))
    return 0


@app.command("history")
def show_history(name: NameArgument, store: StoreOption = None, as_json: JsonOption = False) -> int:
    """Tell who moved what where, and why."""
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
