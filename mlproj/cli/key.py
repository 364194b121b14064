"""`mlproj key`: the keys that attestations and checkpoints are signed with."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from mlproj.cli.documents import print_document
from mlproj.cli.options import JsonOption
from mlproj.cli.terminal import is_terminal, say
from mlproj.errors import UsageError
from mlproj.exports.keys import KeyType, PrivateKey
from mlproj.services.keys import make_key, private_key, public_beside, public_keys
from mlproj.settings import signing_key, trusted_keys

_VARIABLE = "MLPROJ_KEY_PASSWORD"

app = typer.Typer(
    help="Make keys to sign with, and look at them.",
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command()
def new(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="The private key's file; else your own."),
    ] = None,
    kind: Annotated[KeyType, typer.Option("--type", help="Which kind of key.")] = KeyType.ED25519,
    password: Annotated[
        bool, typer.Option("--password", help=f"Encrypt it: asks, unless `{_VARIABLE}` is set.")
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Make a key: a private half that nobody else may read, and a public one beside it to give away.

    Nothing is ever written over.
    """
    secret = _password(confirm=True) if password else None
    made = make_key(output or signing_key(os.environ), kind, secret)
    if as_json:
        print_document({"schema": "mlproj/key/1", "key": made})
    else:
        say(f"{made.type.value} key {made.keyid}")
        say(f"private: {made.private} (keep it to yourself)")
        say(f"public: {made.public} (whoever verifies names it with `--key`)")
    return 0


@app.command()
def show(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A public key; else your own and those you trust.")
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Tell the ids of public keys."""
    own = public_beside(signing_key(os.environ))
    keys = public_keys((file,), ()) if file else public_keys((), (own, *trusted_keys(os.environ)))
    if as_json:
        listed = [{"type": key.type.value, "keyid": key.keyid, "public": key.label} for key in keys]
        print_document({"schema": "mlproj/keys/1", "keys": listed})
        return 0
    for key in keys:
        typer.echo(f"{key.keyid}  {key.type.value}  {key.label}")
    if not keys:
        say("there is no key: `mlproj key new` makes one")
    return 0


def signer(path: Path | None) -> PrivateKey:
    """The private key in a file, else the one that the settings name. Raises UsageError."""
    return private_key(path or signing_key(os.environ), _password)


def _password(*, confirm: bool = False) -> str:
    """The password that the variable holds, or that a person types. Raises UsageError where nobody can."""
    if given := os.environ.get(_VARIABLE):
        return given
    if not is_terminal(sys.stdin):
        raise UsageError("the key asks for a password", hint=f"set `{_VARIABLE}`")
    typed: str = typer.prompt("password", hide_input=True, confirmation_prompt=confirm, err=True)
    return typed
