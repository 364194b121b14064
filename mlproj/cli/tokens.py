"""`mlproj tokens`: what programs come in by that use a server over the store."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from mlproj import server_wiring
from mlproj.cli.documents import print_document
from mlproj.cli.options import JsonOption, StoreOption
from mlproj.cli.sheet import Section, print_sheet
from mlproj.cli.terminal import say
from mlproj.model.access import Level, Token
from mlproj.model.moment import timestamp

_DAY_S = 86_400

app = typer.Typer(
    help="Make tokens for programs that use a server over the store.",
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command()
def create(
    user: Annotated[str, typer.Argument(metavar="USER", help="Whose token it is: what they may, it may.")],
    label: Annotated[str, typer.Option("--label", metavar="TEXT", help="What it is for.")] = "",
    level: Annotated[
        Level | None,
        typer.Option("--level", metavar="LEVEL", help="At most this: READ or EDIT.", case_sensitive=False),
    ] = None,
    days: Annotated[
        int | None, typer.Option("--days", metavar="N", min=1, max=36_500, help="Good for so long.")
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Make a token and print it: it is shown this once, and only its digest is kept.

    A client shows it as `MLFLOW_TRACKING_TOKEN`, or as the password beside any user's name.
    """
    users, _ = server_wiring.users_at(store)
    expires = None if days is None else timestamp(time.time() + days * _DAY_S)
    made, whole = users.tokens.create(user, label=label, level=level, expires=expires)
    if as_json:
        print_document({"schema": "mlproj/token/1", "token": whole, **_document(made)})
        return 0
    typer.echo(whole)
    say(f"this is shown once; `mlproj tokens revoke {made.id}` ends it")
    return 0


@app.command("list")
def listing(
    user: Annotated[str | None, typer.Argument(metavar="[USER]", help="One user's alone.")] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """List tokens, the newest first."""
    users, _ = server_wiring.users_at(store)
    found = users.tokens.all(user)
    if as_json:
        print_document({"schema": "mlproj/tokens/1", "tokens": [_document(each) for each in found]})
        return 0
    rows = tuple(
        (each.id, each.user or "", _at_most(each), each.expires or "never", each.used or "never", each.label)
        for each in found
    )
    print_sheet((Section(headings=("id", "user", "at most", "expires", "used", "for"), rows=rows),))
    if not found:
        say("there are no tokens")
    return 0


@app.command()
def revoke(
    token: Annotated[str, typer.Argument(metavar="ID", help="The id that `list` shows.")],
    store: StoreOption = None,
) -> int:
    """End a token: it lets nobody in any more."""
    users, _ = server_wiring.users_at(store)
    users.tokens.revoke(token)
    say(f"the token {token} lets nobody in any more")
    return 0


def _at_most(token: Token) -> str:
    return "as the user" if token.level is None else token.level.value


def _document(token: Token) -> dict[str, object]:
    return {
        "id": token.id,
        "user": token.user,
        "label": token.label,
        "level": None if token.level is None else token.level.value,
        "created": token.created,
        "expires": token.expires,
        "used": token.used,
    }
