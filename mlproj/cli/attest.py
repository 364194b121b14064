"""`mlproj attest`: a signed statement of a run, or of where the chain of a store ends."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Annotated

import typer

from mlproj import wiring
from mlproj.cli.documents import print_document
from mlproj.cli.key import signer
from mlproj.cli.loading import load
from mlproj.cli.options import JsonOption, StoreOption
from mlproj.cli.terminal import say
from mlproj.errors import UsageError
from mlproj.exports.intoto import BUILDER
from mlproj.files import write_atomically
from mlproj.model.moment import now
from mlproj.services.attestation import attest as attest_run
from mlproj.services.attestation import checked_statement
from mlproj.services.checkpoint import note
from mlproj.store_ports import RunStore

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def attest(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="The run to attest.")] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write the envelope here, not to stdout."),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option("--key", metavar="FILE", help="The private key; else `MLPROJ_KEY`, else your own."),
    ] = None,
    keyless: Annotated[
        bool,
        typer.Option("--keyless", help="Sign by an identity that Sigstore vouches for, in its public log."),
    ] = False,
    chain: Annotated[
        bool, typer.Option("--chain", help="Attest no run, but where the store's chain ends: a checkpoint.")
    ] = False,
    builder: Annotated[
        str,
        typer.Option("--builder", metavar="URI", help="Who ran it, as others know it: a CI job's URL, say."),
    ] = BUILDER,
    origin: Annotated[
        str | None,
        typer.Option("--origin", metavar="NAME", help="What a checkpoint calls the store; else host, path."),
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Sign what was recorded of a run, as an in-toto statement with SLSA provenance in a DSSE envelope.

    It is checked first, and the attestation is kept with the run. With `--chain`, a checkpoint: keep it where
    whoever can write to the store cannot, and `mlproj verify --against` shows later that it only grew.
    """
    if chain == (run is not None):
        raise UsageError("name either a run or `--chain`", hint="`mlproj attest last` attests the newest run")
    records = wiring.existing_store(store)
    if keyless:
        return _sign_keyless(records, run, key, builder, output)
    private = signer(key)
    if run is None:
        content = note(records, private, origin or f"{socket.gethostname()}:{records.root}", now())
        told = "the checkpoint"
    else:
        found = records.find(run)
        content = attest_run(records, found, private, builder)
        told = f"the attestation of run `{found.name}` ({found.run_id[:8]})"
    if output is not None:
        _write(output, content)
        say(f"{told} is in `{output}`, signed by {private.keyid[:8]}")
    if as_json:
        print_document(
            {
                "schema": "mlproj/attest/1",
                "output": None if output is None else str(output),
                "keyid": private.keyid,
                "envelope": json.loads(content),
            }
        )
    elif output is None:
        typer.echo(content.decode(), nl=False)
    return 0


def _sign_keyless(
    records: RunStore, run: str | None, key: Path | None, builder: str, output: Path | None
) -> int:
    if run is None or key is not None:
        raise UsageError("`--keyless` signs a run, and takes no key", hint="leave out `--chain` and `--key`")
    found = records.find(run)
    # Sigstore's library, and what it loads, is for whoever wants it.
    content = load("mlproj.exports.keyless").sign_keyless(checked_statement(records, found, builder))
    if output is None:
        typer.echo(content.decode(), nl=False)
    else:
        _write(output, content)
        say(f"the attestation of run `{found.name}` ({found.run_id[:8]}) is in `{output}`, a Sigstore bundle")
    return 0


def _write(output: Path, content: bytes) -> None:
    try:
        write_atomically(output, content, mode=0o644)
    except OSError as error:
        raise UsageError(f"`{output}` cannot be written: {error.strerror}") from error
