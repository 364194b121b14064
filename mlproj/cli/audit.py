"""`mlproj audit`: what was done at a server over the store, and what was refused."""

from __future__ import annotations

from typing import Annotated

import typer
from msgspec.structs import asdict

from mlproj import server_wiring
from mlproj.cli.documents import print_document
from mlproj.cli.options import JsonOption, StoreOption
from mlproj.cli.sheet import Row, Section, print_sheet
from mlproj.cli.terminal import say
from mlproj.model.access import Deed

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command()
def audit(
    user: Annotated[str | None, typer.Option("--user", metavar="USER", help="Only what they did.")] = None,
    thing: Annotated[
        str | None,
        typer.Option("--thing", metavar="ID", help="Only what was done to it: a run, a model…"),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 50,
    before: Annotated[
        int | None, typer.Option("--before", metavar="NUMBER", help="What came before that line.")
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """List what was changed at a server over the store, and what was refused: the newest first.

    What is logged without end is one line per second, with how often it was done.
    """
    users, _ = server_wiring.users_at(store)
    deeds = users.audit.all(user=user, thing=thing, before=before, limit=limit)
    if as_json:
        print_document({"schema": "mlproj/audit/1", "deeds": [asdict(deed) for deed in deeds]})
        return 0
    headings = ("number", "time", "who", "token", "from", "did", "to", "answer", "times")
    print_sheet((Section(headings=headings, rows=tuple(map(_row, deeds))),))
    if not deeds:
        say("nothing is written down")
    return 0


def _row(deed: Deed) -> Row:
    return (
        str(deed.number),
        deed.time,
        deed.user or "",
        deed.token or "",
        deed.address or "",
        deed.action,
        " ".join(filter(None, (deed.kind, deed.thing))),
        str(deed.status),
        str(deed.times),
    )
