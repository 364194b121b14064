"""Checkpoints: a signed note of where a chain ended, with which it is shown later that the store only grew.

A chain shows every change but one: that it was made anew as a whole, or cut off at its end. Whoever keeps a
checkpoint elsewhere sees that, too.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mlproj.errors import Altered, UsageError
from mlproj.exports.dsse import Signer, Verifier, sealed
from mlproj.model.digest import Digest, canonical, is_canonical, plain
from mlproj.model.record import GENESIS, Entry, decode
from mlproj.services.findings import Findings
from mlproj.services.signatures import Signed, checked_envelope
from mlproj.store_ports import RunStore

SCHEMA = "mlproj/checkpoint/1"
PAYLOAD_TYPE = "application/vnd.mlproj.checkpoint+json"
PART = "checkpoint"
_END = 2**53


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That a chain, of the store that `origin` names, whose first entry has the link `first`, had so many
    entries at a time, of which the last has this link. Of an empty chain both links are GENESIS."""

    schema: str = SCHEMA
    origin: str
    first: Digest
    sequence: int
    link: Digest
    time: str


class Noted(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint that was read, and who signed it."""

    checkpoint: Checkpoint
    signatures: tuple[Signed, ...]


def note(store: RunStore, signer: Signer, origin: str, time: str) -> bytes:
    """The file of an envelope with a checkpoint of the store's chain, where it ends now.

    Raises Altered where a link of the chain is not what it was: what is signed would show nothing then.
    """
    sequence, last = 0, GENESIS
    first = GENESIS
    for entry in store.entries():
        if (entry.sequence, entry.previous, entry.link) != (sequence + 1, last, entry.expected_link):
            raise Altered(
                f"the chain cannot be signed: it does not hold at entry {entry.sequence}",
                hint="`mlproj verify` tells what was altered",
            )
        sequence, last = entry.sequence, entry.link
        first = entry.link if sequence == 1 else first
    if (sequence, last) != store.head():
        raise Altered("the chain cannot be signed: its end is not the one that was noted")
    checkpoint = Checkpoint(origin=origin, first=first, sequence=sequence, link=last, time=time)
    return sealed(PAYLOAD_TYPE, canonical(plain(checkpoint)), [signer])


def read_checkpoint(content: bytes, name: str, keys: Sequence[Verifier]) -> Noted:
    """The checkpoint in the file that is called `name`.

    Raises Altered where it is none, or was changed, and UsageError where no key is known that signed it.
    """
    try:
        envelope, signatures = checked_envelope(content, PAYLOAD_TYPE, keys)
        checkpoint = decode(envelope.payload, Checkpoint)
        if checkpoint.schema != SCHEMA:
            raise Altered(f"it is of another schema: {checkpoint.schema}")
        if not is_canonical(envelope.payload) or checkpoint.sequence not in range(_END):
            raise Altered("it is not as mlproj writes one")
    except (Altered, ValueError) as error:
        said = error.message if isinstance(error, Altered) else str(error)
        raise Altered(f"the checkpoint `{name}` cannot be trusted: {said}") from error
    if not any(signature.key for signature in signatures):
        raise UsageError(
            f"the checkpoint `{name}` is signed by {signatures[0].keyid[:8]}, which is no key that you trust",
            hint="name the public key that it has to be signed by with `--key`",
        )
    return Noted(checkpoint=checkpoint, signatures=signatures)


class Growth:
    """Checks that a chain goes on from where a checkpoint noted it."""

    def __init__(self, noted: Noted) -> None:
        self._noted = noted.checkpoint

    def __call__(self, store: RunStore, findings: Findings) -> None:
        """As `services.verify.Further`: the links are those that the chain was just found to have."""
        noted = self._noted
        if noted.sequence == 0:
            return
        first, last = _entry(store, 1), _entry(store, noted.sequence)
        when = f"the checkpoint of {noted.time}"
        if first is not None and first.link != noted.first:
            findings.add(None, PART, f"this is another chain than that of {when}, of `{noted.origin}`")
        elif last is None:
            (sequence, _) = store.head()
            findings.add(
                None,
                PART,
                f"entries were taken away: {when} noted {noted.sequence}, and the chain ends at {sequence}",
            )
        elif last.link != noted.link:
            findings.add(
                None, PART, f"the chain was rewritten: entry {noted.sequence} is not the one in {when}"
            )


def _entry(store: RunStore, sequence: int) -> Entry | None:
    """The entry of that number."""
    entry = next(store.entries(after=sequence - 1), None)
    return entry if entry is not None and entry.sequence == sequence else None
