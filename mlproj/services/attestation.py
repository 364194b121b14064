"""`mlproj attest`: a run's record as a signed statement that others can check without mlproj; and the check
of the statements that were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from mlproj.errors import Altered, StoreError
from mlproj.exports.dsse import Signer, Verifier, read_once, sealed
from mlproj.exports.intoto import PAYLOAD_TYPE, PROVENANCE, STATEMENT, says_the_same, statement
from mlproj.model.digest import Digest, canonical
from mlproj.model.entries import read_amendment
from mlproj.model.record import ATTESTED, Entry, EntryKind
from mlproj.model.run import Run
from mlproj.services.findings import Findings
from mlproj.services.signatures import Signed, checked_envelope
from mlproj.services.verify import verify
from mlproj.store_ports import RunStore


class Attestation(msgspec.Struct, frozen=True, kw_only=True):
    """A statement that was read and whose signatures were checked: of which run it is, and its `subjects` by
    name, each with its digest as in-toto has it."""

    run_id: str
    subjects: Mapping[str, Mapping[str, str]]
    signatures: tuple[Signed, ...]
    payload: bytes

    def fits(self, run: Run) -> bool:
        """Whether it says of a run what its record says, all of that and nothing else."""
        return says_the_same(run, self.payload)


class Attested(msgspec.Struct, frozen=True, kw_only=True):
    """An attestation that is kept with a run, and who signed it."""

    run_id: str
    run_name: str
    envelope: Digest
    signatures: tuple[Signed, ...]


def attest(store: RunStore, run: Run, signer: Signer, builder: str) -> bytes:
    """The file of an envelope with the statement of `run`, which is kept with the run from then on.

    Raises Altered and StoreError as `checked_statement`.
    """
    envelope = sealed(PAYLOAD_TYPE, checked_statement(store, run, builder), [signer])
    with store.lease():
        digest = store.blobs.add_bytes(envelope)
        store.amend(run.run_id, ATTESTED, {"envelope": digest, "key": signer.keyid})
    return envelope


def checked_statement(store: RunStore, run: Run, builder: str) -> bytes:
    """What is to be signed of a run, which was found to be what was recorded. `builder` is the URI of whoever
    ran it.

    Raises Altered where it is not what was recorded, and StoreError where the run has not ended or was not
    made here.
    """
    found = verify(store, run)
    if not found.sound:
        first = found.problems[0]
        raise Altered(
            f"the run `{run.name}` cannot be attested: {first.part}: {first.message}",
            hint="`mlproj verify` tells everything that was altered",
        )
    try:
        return canonical(statement(run, builder))
    except ValueError as error:
        raise StoreError(f"the run `{run.name}` cannot be attested: {error}") from error


def check_envelope(content: bytes, keys: Sequence[Verifier] = ()) -> Attestation:
    """The attestation in an envelope's file, its signatures checked as far as there are keys.

    Raises Altered where it cannot be read, or where a signature is not that of the key it names.
    """
    envelope, signatures = checked_envelope(content, PAYLOAD_TYPE, keys)
    try:
        document = read_once(envelope.payload)
        if (document["_type"], document["predicateType"]) != (STATEMENT, PROVENANCE):
            raise ValueError(f"it is `{document['predicateType']}`")
        details = document["predicate"]["runDetails"]
        return Attestation(
            run_id=str(details["metadata"]["invocationId"]),
            subjects={str(item["name"]): dict(item["digest"]) for item in document["subject"]},
            signatures=signatures,
            payload=envelope.payload,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Altered(f"it holds no statement of where something came from: {error}") from error


class Attestations:
    """Checks the attestations that are kept with runs; `found` are those that say what the records say."""

    def __init__(self, keys: Sequence[Verifier]) -> None:
        self._keys = keys
        self.found: list[Attested] = []

    def __call__(self, store: RunStore, findings: Findings) -> None:
        """As `services.verify.Further`: what is wrong is added to `findings`."""
        for entry in store.entries(EntryKind.AMENDMENT, run_id=findings.only):
            try:
                self._check(store, entry)
            except Altered as error:
                part = f"{ATTESTED}.{entry.sequence}"
                findings.add(entry.run_id, part, f"the attestation cannot be trusted: {error.message}")

    def _check(self, store: RunStore, entry: Entry) -> None:
        digest = _named_by(entry)
        if digest is None:
            return
        try:
            content = store.blobs.path(digest).read_bytes()
            run = store.find(entry.run_id)
        except (StoreError, OSError):
            return  # whatever is missing was named already
        if Digest.of(content) != digest:
            return  # so was what is another content
        attestation = check_envelope(content, self._keys)
        if not attestation.fits(run):
            raise Altered("it does not say what the record says")
        signatures = attestation.signatures
        self.found.append(
            Attested(run_id=run.run_id, run_name=run.name, envelope=digest, signatures=signatures)
        )


def _named_by(entry: Entry) -> Digest | None:
    """The envelope that an entry names; None where it names none, or cannot be read, as is told elsewhere."""
    try:
        amendment = read_amendment(entry.payload or b"")
        return Digest(amendment.content["envelope"]) if amendment.kind == ATTESTED else None
    except (ValueError, KeyError):
        return None
