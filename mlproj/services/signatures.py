"""Who signed an envelope, as far as the keys that are known can tell."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mlproj.errors import Altered
from mlproj.exports.dsse import Envelope, Verifier, read_envelope


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """A signature on an envelope. `key` is what a trusted key is called whose signature it is, and None where
    no such key is known: then nobody looked at it."""

    keyid: str
    key: str | None


def checked_envelope(
    content: bytes, payload_type: str, keys: Sequence[Verifier]
) -> tuple[Envelope, tuple[Signed, ...]]:
    """The envelope, of some type, with its signatures, those by one of `keys` checked.

    Raises Altered where it cannot be read, is of another type, or where a signature is not what it says.
    """
    try:
        envelope = read_envelope(content)
    except ValueError as error:
        raise Altered(f"it is no signed envelope: {error}") from error
    if envelope.payload_type != payload_type:
        raise Altered(f"it holds `{envelope.payload_type}`, not `{payload_type}`")
    return envelope, tuple(_signed(envelope, place, keys) for place in range(len(envelope.signatures)))


def _signed(envelope: Envelope, place: int, keys: Sequence[Verifier]) -> Signed:
    signature = envelope.signatures[place]
    for key in keys:
        fits = key.fits(signature.sig, envelope.message)
        if fits and key.keyid != signature.keyid:
            raise Altered(f"it names the key {signature.keyid[:8]}, and the key `{key.label}` signed it")
        if fits:
            return Signed(keyid=signature.keyid, key=key.label)
        if key.keyid == signature.keyid:
            raise Altered(f"the signature by the key `{key.label}` does not fit what it holds")
    return Signed(keyid=signature.keyid, key=None)
