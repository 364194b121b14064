"""Envelopes: a signed payload as DSSE has it (github.com/secure-systems-lab/dsse), read to the letter.

An envelope of ours has one spelling: where a byte of the file is another, something of what it says is, too.
So nothing is ignored that is not understood, and base64 is taken only as it is written.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from mlproj.model.digest import Json, canonical


class Verifier(Protocol):
    """A public key. `label` is what a person calls it."""

    @property
    def keyid(self) -> str: ...

    @property
    def label(self) -> str: ...

    def fits(self, signature: bytes, message: bytes) -> bool: ...


class Signer(Protocol):
    """A private key."""

    @property
    def keyid(self) -> str: ...

    def sign(self, message: bytes) -> bytes: ...


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """A signature, by the key that `keyid` names (which is only a hint: no signature covers it)."""

    keyid: str
    sig: bytes


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """A payload, what kind of payload it is, and who signed both."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]

    @property
    def message(self) -> bytes:
        return encoded(self.payload_type, self.payload)


class _SpeltSignature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    keyid: str
    sig: str


class _Spelt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    payload_type: str
    payload: str
    signatures: tuple[_SpeltSignature, ...]


def encoded(payload_type: str, payload: bytes) -> bytes:
    """What is signed: type and payload with their lengths, so that neither can pass for the other."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def sealed(payload_type: str, payload: bytes, signers: Sequence[Signer]) -> bytes:
    """The file of an envelope, signed by each of `signers`."""
    message = encoded(payload_type, payload)
    signatures: Json = [{"keyid": one.keyid, "sig": _base64(one.sign(message))} for one in signers]
    document: Json = {"payload": _base64(payload), "payloadType": payload_type, "signatures": signatures}
    return canonical(document) + b"\n"


def read_envelope(content: bytes) -> Envelope:
    """The envelope in a file. White space and the order of keys do not matter, everything else does.

    Raises ValueError where it is none, or holds anything that an envelope does not have.
    """
    spelt = msgspec.json.decode(content, type=_Spelt)
    read_once(content)
    if not spelt.signatures:
        raise ValueError("nobody signed it")
    return Envelope(
        payload_type=spelt.payload_type,
        payload=_bytes(spelt.payload),
        signatures=tuple(Signature(keyid=one.keyid, sig=_bytes(one.sig)) for one in spelt.signatures),
    )


def read_once(content: bytes) -> Any:
    """What some JSON says that is read in one way only: a key that stands there twice is read as its last,
    and by others as its first. Raises ValueError."""
    try:
        return json.loads(content, object_pairs_hook=_each_once)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("it says something twice")
    return found


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _bytes(text: str) -> bytes:
    content = base64.b64decode(text, validate=True)
    if _base64(content) != text:
        raise ValueError("base64 in another spelling")
    return content
