"""`mlproj users`: who may use a server over the store, and what they may do there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from mlproj import server_wiring
from mlproj.cli.documents import print_document
from mlproj.cli.options import JsonOption, StoreOption
from mlproj.cli.secrets import read_secret
from mlproj.cli.sheet import Section, print_sheet
from mlproj.cli.terminal import say
from mlproj.errors import UsageError
from mlproj.model.access import Kind, Level, Permission, User
from mlproj.tracking_ports import Tracking

app = typer.Typer(
    help="Say who may use a server over the store, and what they may do.",
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

NameArgument = Annotated[str, typer.Argument(metavar="USER", help="The user's name.")]
ExperimentOption = Annotated[
    str | None, typer.Option("--experiment", metavar="NAME", help="An experiment, with all in it.")
]
ModelOption = Annotated[
    str | None, typer.Option("--model", metavar="NAME", help="A registered model, with its versions.")
]


@app.command()
def add(
    name: NameArgument,
    admin: Annotated[bool, typer.Option("--admin", help="Everything is theirs to manage.")] = False,
    no_password: Annotated[
        bool, typer.Option("--no-password", help="They come in by `mlproj tokens` alone.")
    ] = False,
    store: StoreOption = None,
) -> int:
    """Add a user. The password is asked for, or read from standard input: a line of it.

    A store that is not there yet is made: the first user is there before the server."""
    users, _ = server_wiring.users_at(store, create=True)
    users.accounts.add(name, password=None if no_password else read_secret("password"), admin=admin)
    say(f"added the user {name}")
    return 0


@app.command("list")
def listing(store: StoreOption = None, as_json: JsonOption = False) -> int:
    """List users, and what they were told that they may do."""
    users, tracking = server_wiring.users_at(store)
    everybody, said = users.accounts.all(), users.rights.all()
    if as_json:
        print_document({"schema": "mlproj/users/1", "users": [_document(user, said) for user in everybody]})
        return 0
    rows = tuple((user.name, _state(user), user.created) for user in everybody)
    rights = tuple((each.user, each.level.value, each.kind.value, _shown(tracking, each)) for each in said)
    print_sheet(
        (
            Section(headings=("user", "is", "since"), rows=rows),
            Section(headings=("user", "may", "of", "name"), rows=rights),
        )
    )
    if not everybody:
        say("there are no users: `mlproj users add NAME --admin` adds the first")
    return 0


@app.command()
def passwd(name: NameArgument, store: StoreOption = None) -> int:
    """Give a user another password, which is asked for, or read from standard input."""
    users, _ = server_wiring.users_at(store)
    users.accounts.get(name)
    users.accounts.change(name, password=read_secret("password"))
    say(f"the password of {name} is another one now")
    return 0


@app.command()
def disable(
    name: NameArgument,
    undo: Annotated[bool, typer.Option("--undo", help="Let them in again.")] = False,
    store: StoreOption = None,
) -> int:
    """Let a user in no more, nor any token of theirs; what they may do is kept."""
    users, _ = server_wiring.users_at(store)
    users.accounts.change(name, disabled=not undo)
    say(f"{name} is let in again" if undo else f"{name} is not let in any more")
    return 0


@app.command()
def rm(name: NameArgument, store: StoreOption = None) -> int:
    """Remove a user with their tokens and rights. What they made and did stays."""
    users, _ = server_wiring.users_at(store)
    users.accounts.remove(name)
    say(f"removed the user {name}")
    return 0


@app.command()
def grant(
    name: NameArgument,
    level: Annotated[
        Level,
        typer.Argument(metavar="LEVEL", help="READ, EDIT, MANAGE or NO_PERMISSIONS.", case_sensitive=False),
    ],
    experiment: ExperimentOption = None,
    model: ModelOption = None,
    store: StoreOption = None,
) -> int:
    """Say what a user may do with an experiment or a registered model, in the place of what was said."""
    users, tracking = server_wiring.users_at(store)
    kind, thing = _thing(tracking, experiment, model)
    users.rights.grant(name, kind, thing, level)
    say(f"{name} has {level.value} for the {kind.value} {experiment or model}")
    return 0


@app.command()
def revoke(
    name: NameArgument,
    experiment: ExperimentOption = None,
    model: ModelOption = None,
    store: StoreOption = None,
) -> int:
    """Take back what was said of a user and an experiment or a registered model."""
    users, tracking = server_wiring.users_at(store)
    kind, thing = _thing(tracking, experiment, model)
    users.rights.withdraw(name, kind, thing)
    say(f"nothing is said any more of what {name} may do with the {kind.value} {experiment or model}")
    return 0


def _thing(tracking: Tracking, experiment: str | None, model: str | None) -> tuple[Kind, str]:
    """What rights are to, by what they are kept under. Raises UsageError and NotFound."""
    if (experiment is None) == (model is None):
        raise UsageError("rights are to one thing", hint="name an `--experiment` or a `--model`")
    if experiment is not None:
        return Kind.EXPERIMENT, tracking.experiments.named(experiment).experiment_id
    return Kind.MODEL, tracking.registry.get(model or "").name


def _state(user: User) -> str:
    words = ["admin"] if user.admin else []
    words += ["disabled"] if user.disabled else []
    words += [] if user.has_password else ["without password"]
    return ", ".join(words) or "user"


def _shown(tracking: Tracking, said: Permission) -> str:
    return tracking.experiments.get(said.thing).name if said.kind is Kind.EXPERIMENT else said.thing


def _document(user: User, said: Sequence[Permission]) -> dict[str, object]:
    own = [each for each in said if each.user == user.name]
    return {
        "name": user.name,
        "admin": user.admin,
        "disabled": user.disabled,
        "has_password": user.has_password,
        "created": user.created,
        "rights": [{"kind": each.kind.value, "thing": each.thing, "level": each.level.value} for each in own],
    }
