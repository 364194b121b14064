"""A signed envelope on its own, without the store that it came from: its signature, and files beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from mlproj.errors import Altered, UsageError
from mlproj.exports.dsse import Verifier, read_envelope
from mlproj.exports.intoto import FOLDER, digest_set
from mlproj.files import read_regular
from mlproj.model.provenance import InputState
from mlproj.services import checkpoint
from mlproj.services.attestation import check_envelope
from mlproj.services.signatures import Signed

_LARGEST = 64 * 1024 * 1024
LookAt = Callable[[Path], InputState]
"""Digests a file or folder."""


class LoneEnvelope(msgspec.Struct, frozen=True, kw_only=True):
    """What an envelope's file holds, a `checkpoint` or an `attestation`, as its signers say it; and of files
    that were held against it, by path, the names that they have there."""

    kind: str
    signatures: tuple[Signed, ...]
    run_id: str | None = None
    subjects: Mapping[str, Mapping[str, str]] = {}
    checkpoint: checkpoint.Checkpoint | None = None
    artifacts: Mapping[str, tuple[str, ...]] = {}


def is_envelope(path: Path) -> bool:
    """Whether there is a file that holds a JSON object, as envelopes are."""
    try:
        if not path.is_file():  # opening a pipe would wait for somebody to write into it
            return False
        with path.open("rb") as file:
            return file.read(64).lstrip().startswith(b"{")
    except OSError:
        return False


def check_file(
    path: Path, keys: Sequence[Verifier], artifacts: Sequence[Path], look_at: LookAt
) -> LoneEnvelope:
    """Checks the envelope at `path`, signed by one of `keys`, and that each artifact is a subject of it.

    Raises Altered where it, or an artifact, is not what was signed, and UsageError where no key is known that
    signed it, or nothing can be said of artifacts.
    """
    content = read_file(path)
    if _payload_type(content) == checkpoint.PAYLOAD_TYPE:
        noted = checkpoint.read_checkpoint(content, str(path), keys)
        if artifacts:
            raise UsageError(f"`{path}` is a checkpoint, which tells nothing of artifacts")
        return LoneEnvelope(kind="checkpoint", signatures=noted.signatures, checkpoint=noted.checkpoint)
    try:
        found = check_envelope(content, keys)
    except Altered as error:
        raise Altered(f"`{path}` cannot be trusted: {error.message}") from error
    if not any(signature.key for signature in found.signatures):
        raise UsageError(
            f"`{path}` is signed by {found.signatures[0].keyid[:8]}, which is no key that you trust",
            hint="name the public key that it has to be signed by with `--key`",
        )
    return LoneEnvelope(
        kind="attestation",
        signatures=found.signatures,
        run_id=found.run_id,
        subjects=found.subjects,
        artifacts={str(artifact): _names(found.subjects, artifact, look_at) for artifact in artifacts},
    )


def _names(subjects: Mapping[str, Mapping[str, str]], artifact: Path, look_at: LookAt) -> tuple[str, ...]:
    """The subjects whose content an artifact has. Raises Altered where there is none."""
    state = look_at(artifact)
    assert state.digest is not None, "what is on the disk has a digest"
    [(kind, digest)] = digest_set(state.digest, folder=state.kind == "folder").items()
    names = tuple(name for name, digests in subjects.items() if digests.get(kind) == digest)
    if not names:
        raise Altered(
            f"`{artifact}` is not what was attested: no subject has its digest `{state.digest}`",
            hint=None if state.kind == "folder" else _folders(subjects),
        )
    return names


def _folders(subjects: Mapping[str, Mapping[str, str]]) -> str | None:
    """What to hold against it instead of a file in one."""
    names = [f"`{name}`" for name, digests in subjects.items() if FOLDER in digests]
    return f"folders are attested as a whole: {', '.join(names)}" if names else None


def _payload_type(content: bytes) -> str | None:
    try:
        return read_envelope(content).payload_type
    except ValueError:
        return None


def read_file(path: Path) -> bytes:
    """What an envelope's file holds. Raises UsageError where it cannot be read."""
    try:
        if path.stat().st_size > _LARGEST:
            raise UsageError(f"`{path}` is too large for an envelope")
        return read_regular(path)
    except OSError as error:
        raise UsageError(f"`{path}` cannot be read: {error.strerror}") from error
