from __future__ import annotations

import base64
import json

import pytest

from mlproj.exports.dsse import encoded, read_envelope, sealed


class Stamp:
    """A signer whose signature is plain to see."""

    keyid = "ab" * 32

    def sign(self, message: bytes) -> bytes:
        return b"signed: " + message


ENVELOPE = sealed("text/plain", b"hello", [Stamp()])


def test_what_is_signed_is_what_the_specification_gives_as_its_example() -> None:
    example = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert encoded("http://example.com/HelloWorld", b"hello world") == example


def test_an_envelope_is_read_as_it_was_written() -> None:
    envelope = read_envelope(ENVELOPE)
    assert (envelope.payload_type, envelope.payload) == ("text/plain", b"hello")
    [signature] = envelope.signatures
    assert (signature.keyid, signature.sig) == (Stamp.keyid, b"signed: DSSEv1 10 text/plain 5 hello")
    assert read_envelope(json.dumps(json.loads(ENVELOPE), indent=2).encode()) == envelope


LAST = base64.b64encode(b"hello").decode()


@pytest.mark.parametrize(
    ("was", "now"),
    [
        (
            b"{",
            b"",
        ),
        (b'"payload"', b'"payloads"'),
        (b'"payloadType"', b'"more":1,"payloadType"'),
        (b'"payload":', b'"payload":"aGVsbG8=","payload":'),
        (b'"keyid":', b'"cert":"x","keyid":'),
        # the last bits of base64 say nothing, and could be anything
        (LAST.encode(), LAST.replace("8=", "9=").encode()),
        (LAST.encode(), LAST.rstrip("=").encode()),
        (LAST.encode(), LAST[:2].encode() + b"\\n" + LAST[2:].encode()),
    ],
)
def test_what_an_envelope_does_not_have_is_refused(was: bytes, now: bytes) -> None:
    changed = ENVELOPE.replace(was, now, 1)
    assert changed != ENVELOPE
    with pytest.raises(ValueError):
        read_envelope(changed)


def test_an_envelope_that_nobody_signed_is_refused() -> None:
    with pytest.raises(ValueError, match="nobody"):
        read_envelope(sealed("text/plain", b"hello", []))
