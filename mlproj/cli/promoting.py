"""The part of `mlproj models` that is about what may be put into Production."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from mlproj import wiring
from mlproj.cli.documents import print_document
from mlproj.cli.options import JsonOption, StoreOption
from mlproj.cli.pages.registry import checks_page, version_document
from mlproj.cli.registrar import Registrar, registrar
from mlproj.cli.registry_options import ArchiveOption, NameArgument, VersionArgument, WhyOption
from mlproj.cli.registry_questions import OURS, read_reference, version_of
from mlproj.cli.sheet import print_sheet
from mlproj.cli.terminal import say
from mlproj.errors import NotPromoted, UsageError
from mlproj.model.registry import Stage
from mlproj.model.rules import Check
from mlproj.server.wire.promotion import AskedChecks, Checks, KeptRules, Promote, Promoted, SetRules
from mlproj.server.wire.registry import NamedModel, ToldVersion
from mlproj.server.wire.values import Empty
from mlproj.spec.rules import read_file

app = typer.Typer()


@app.command()
def rules(
    name: NameArgument,
    given: Annotated[
        Path | None, typer.Option("--set", metavar="FILE", help="Have these rules hold from now on.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Have none hold any more.")] = False,
    why: WhyOption = "",
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Print, set or remove the rules of a model.

    They are for what is put into Production of a registered model.
    """
    if given is not None and remove:
        raise UsageError("`--set` and `--remove` exclude each other", hint="give one of them")
    text = _read(given)
    with registrar(store) as kept:
        if given is not None or remove:
            kept.ask("POST", f"{OURS}/rules", SetRules(name=name, rules=text, why=why or None), Empty)
            say(f"`{name}` has {'no rules' if text is None else 'these rules'} from now on")
            return 0
        text = kept.ask("GET", f"{OURS}/rules", NamedModel(name=name), KeptRules).rules
    if as_json:
        print_document({"schema": "mlproj/model-rules/1", "name": name, "rules": text})
    elif text is None:
        say(f"`{name}` has no rules: `--set FILE` gives it some")
    else:
        typer.echo(text, nl=not text.endswith("\n"))
    return 0


@app.command()
def promote(
    version: VersionArgument,
    to: Annotated[
        Stage, typer.Option("--to", metavar="STAGE", help="Production.", case_sensitive=False)
    ] = Stage.PRODUCTION,
    further: Annotated[
        Path | None,
        typer.Option("--rules", metavar="FILE", help="To hold besides those kept with the model."),
    ] = None,
    archive_existing: ArchiveOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Look at the rules, and move nothing.")] = False,
    why: WhyOption = "",
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Put a version into Production, if the rules let it.

    Each rule is shown, and how it fared is recorded. The run that made it may have to be
    reproduced first: `mlproj reproduce RUN`.
    """
    if to is not Stage.PRODUCTION:
        raise UsageError("rules are for Production", hint="`mlproj models stage` moves a version elsewhere")
    text = _read(further)
    with registrar(store) as kept:
        found = version_of(kept, read_reference(version))
        refusal: NotPromoted | None = None
        if dry_run:
            checks = _checks(kept, found, text)
        else:
            found, checks, refusal = put_into_production(
                kept, found, rules=text, archive_existing=archive_existing, why=why
            )
    document = {"schema": "mlproj/promotion/1", **version_document(found), "checks": list(checks)}
    if as_json:
        promoted = refusal is None and not dry_run
        print_document({**document, "promoted": promoted})
    else:
        print_sheet(checks_page(checks))
        if refusal is None and not dry_run:
            say(f"version {found.version} of `{found.name}` is in Production")
    if as_json and refusal is not None:
        return refusal.exit_code
    if refusal is not None:
        raise refusal
    return 0 if all(check.holds for check in checks) else NotPromoted.exit_code


def put_into_production(
    kept: Registrar,
    version: ToldVersion,
    *,
    rules: str | None = None,
    archive_existing: bool = False,
    why: str = "",
) -> tuple[ToldVersion, tuple[Check, ...], NotPromoted | None]:
    """The version as it is then, how each rule fares, and as an error that it was refused, if it was."""
    checks = _checks(kept, version, rules)
    wanted = Promote(
        name=version.name,
        version=version.version,
        rules=rules,
        archive_existing_versions=archive_existing,
        why=why or None,
    )
    try:
        moved = kept.ask("POST", f"{OURS}/promote", wanted, Promoted)
    except NotPromoted as error:
        return version, checks, error
    return moved.model_version, moved.checks, None


def _checks(kept: Registrar, version: ToldVersion, rules: str | None) -> tuple[Check, ...]:
    asked = AskedChecks(name=version.name, version=version.version, rules=rules)
    return kept.ask("POST", f"{OURS}/checks", asked, Checks).checks


def _read(file: Path | None) -> str | None:
    """The rules in a file, with the keys that it names: these are looked up beside it."""
    if file is None:
        return None
    here = wiring.current_folder()
    return read_file(here, str(file), partial(_keys_in, (here / file).parent)).text


def _keys_in(folder: Path, name: str) -> tuple[str, ...]:
    place = folder / name
    where = ((), (place,)) if place.is_dir() else ((place,), ())
    found = wiring.part("services.keys:public_keys")(*where)
    if not found:
        raise UsageError(f"there is no `*.pem` in the folder `{name}`")
    return tuple(key.line for key in found)
