"""`mlproj verify`: whether what was recorded is still what was recorded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from mlproj import run_wiring, wiring
from mlproj.cli.controls import printable
from mlproj.cli.documents import print_document
from mlproj.cli.options import JsonOption, StoreOption
from mlproj.cli.terminal import reporting, say
from mlproj.cli.walker import MOST, WalkerBeside
from mlproj.cli.words import counted, size
from mlproj.errors import Altered, UsageError
from mlproj.exports.dsse import Verifier
from mlproj.model.events import silent
from mlproj.model.provenance import InputState
from mlproj.services.attestation import Attestations, Attested
from mlproj.services.bundle_verification import is_bundle, verify_bundle
from mlproj.services.checkpoint import Growth, read_checkpoint
from mlproj.services.findings import Problem
from mlproj.services.lone_envelope import LoneEnvelope, check_file, is_envelope, read_file
from mlproj.services.signatures import Signed
from mlproj.services.verify import Further, Means, Verification
from mlproj.services.verify import verify as check_records
from mlproj.settings import limits, trusted_keys

_MOST_REMOVED = 20
"""So many removed runs are told one by one."""

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def verify(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN|STORE|FILE",
            help="A run alone, a store's folder, a bundle, or an envelope's file.",
        ),
    ] = None,
    key: Annotated[
        list[Path] | None,
        typer.Option("--key", metavar="FILE", help="A public key that is trusted; may be given again."),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="FILE", help="A checkpoint that the store must go on from."),
    ] = None,
    artifact: Annotated[
        list[Path] | None,
        typer.Option("--artifact", metavar="PATH", help="With an attestation: what must be a subject of it."),
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Check digests, chain and signatures of what was recorded, and name what was altered.

    Ends with 7 where anything is not what was sealed, or was signed by another key than it says.
    """
    keys = _keys(key or ())
    path = None if what is None else Path(what)
    lone = path is not None and is_envelope(path)
    if artifact and not lone:
        raise UsageError(
            "`--artifact` is held against an attestation, and needs its file",
            hint="`mlproj verify attestation.json --artifact PATH`",
        )
    if against is not None and path is not None and (lone or is_bundle(path)):
        raise UsageError(f"`--against` looks at a store's chain, and `{path}` has none")
    if path is not None and lone:
        return _tell_of_envelope(path, check_file(path, keys, artifact or (), _look_at), as_json)
    if path is not None and is_bundle(path):
        return _verify_bundle(path, keys, as_json)
    if path is not None and (path / "store.db").is_file():
        what, store = None, str(path)
    attestations = Attestations(keys)
    further: list[Further] = [attestations]
    if against is not None:
        noted = read_checkpoint(read_file(against), str(against), keys)
        further.append(Growth(noted))
    records = wiring.existing_store(store)
    with reporting() as report:
        run = None if what is None else records.find(what)
        found = check_records(records, run, report, means(records.address), further)
    if as_json:
        document = {"sound": found.sound, "verification": found, "attestations": attestations.found}
        print_document({"schema": "mlproj/verify/1", **document})
    else:
        _tell(found, attestations.found)
        if against is not None and found.sound:
            say(f"the chain goes on from entry {noted.checkpoint.sequence}, noted {noted.checkpoint.time}")
    return 0 if found.sound else Altered.exit_code


def _keys(named: Sequence[Path]) -> Sequence[Verifier]:
    """The public keys that are named or trusted anyway; what reads them is loaded where there are any."""
    trusted = [path for path in trusted_keys(os.environ) if path.exists()]
    if not named and not trusted:
        return ()
    keys: Sequence[Verifier] = wiring.part("services.keys:public_keys")(named, trusted)
    return keys


def means(store: str) -> Means:
    """What checks the store in a folder beside us, on the other cores; one at a server is waited for."""
    is_far = "://" in store
    return Means(
        digester=wiring.part("provenance.contents:digest_files"),
        walkers=0 if is_far else min(wiring.part("provenance.readers:others")(), MOST),
        walker=partial(WalkerBeside, Path(store)),
    )


def _look_at(path: Path) -> InputState:
    observer = run_wiring.tools(os.environ, wiring.current_folder()).observer
    return observer.data(str(path), path, wiring.current_folder(), declared=True, report=silent).state


def _tell(found: Verification, attested: Sequence[Attested]) -> None:
    for problem in found.problems:
        typer.echo(printable(f"{_whose(problem)}: {problem.part}: {problem.message}"))
    for removed in found.removed[:_MOST_REMOVED]:
        say(f"run {removed[:8]} was removed, with a tombstone")
    if (more := len(found.removed) - _MOST_REMOVED) > 0:
        say(f"and {counted(more, 'further run')} likewise")
    for one in attested:
        say(f"run `{one.run_name}` ({one.run_id[:8]}) is attested by {_signers(one.signatures)}")
    entries, runs = counted(found.entries, "entry", "entries"), counted(found.runs, "run")
    told = f"{entries}, {runs} and {counted(found.blobs, 'blob')} were checked"
    wrong = len(found.problems)
    if found.sound:
        say(f"{told}: all are what was recorded")
        if not found.chain:
            say("that nothing is missing from the chain is for the server's administrators to check")
    else:
        say(f"{told}: {wrong} {'is' if wrong == 1 else 'are'} not what was recorded")


def _tell_of_envelope(path: Path, found: LoneEnvelope, as_json: bool) -> int:
    if as_json:
        print_document({"schema": "mlproj/verify-envelope/1", "sound": True, "envelope": found})
        return 0
    for artifact, names in found.artifacts.items():
        say(f"`{artifact}` is {', '.join(f'`{name}`' for name in names)}")
    if found.checkpoint is not None:
        told = f"entry {found.checkpoint.sequence} of `{found.checkpoint.origin}`, {found.checkpoint.time}"
    else:
        told = f"run {(found.run_id or '')[:8]}, {counted(len(found.subjects), 'subject')}"
    say(f"`{path}` ({found.kind} of {told}) is signed by {_signers(found.signatures)}")
    return 0


def _signers(signatures: Sequence[Signed]) -> str:
    return " and ".join(
        f"{one.keyid[:8]}, "
        + ("which is no key that you trust" if one.key is None else f"trusted: `{one.key}`")
        for one in signatures
    )


def _verify_bundle(path: Path, keys: Sequence[Verifier], as_json: bool) -> int:
    with reporting() as report:
        found = verify_bundle(path, limits(os.environ), report, keys)
    if as_json:
        document = {"sound": found.sound, "path": str(path), "verification": found}
        print_document({"schema": "mlproj/verify-bundle/1", **document})
        return 0 if found.sound else Altered.exit_code
    for problem in found.problems:
        typer.echo(printable(f"{problem.part}: {problem.message}"))
    for signatures in found.attestations:
        say(f"the run is attested by {_signers(signatures)}")
    told = f"{counted(found.files, 'file')} and {size(found.size)} of `{path}` were checked"
    if found.sound:
        say(f"{told}: run `{found.run_name}` is as it was written")
        return 0
    say(f"{told}: {counted(len(found.problems), 'thing')} not as written")
    return Altered.exit_code


def _whose(problem: Problem) -> str:
    if problem.run_id is None:
        return "the chain"
    if problem.run_name is None:
        return f"run {problem.run_id[:8]}"
    return f"run `{problem.run_name}` ({problem.run_id[:8]})"
