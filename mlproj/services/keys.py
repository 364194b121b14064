"""Files of keys: made once and never written over, found where a person or a setting names them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from mlproj.errors import UsageError
from mlproj.exports.keys import KeyType, PrivateKey, PublicKey, is_encrypted, read_private, read_public
from mlproj.files import read_regular, write_all

PUBLIC = ".pub.pem"
"""What the file of a public key ends in: it lies beside the private one."""
_LARGEST = 64 * 1024


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that was made: its type, its id, and where its two halves lie."""

    type: KeyType
    keyid: str
    private: Path
    public: Path


def make_key(path: Path, kind: KeyType, password: str | None) -> NewKey:
    """Makes a key: the private half at `path`, for its owner's eyes alone, the public one beside it.

    Raises UsageError where either is there already, or where they cannot be written.
    """
    public = public_beside(path)
    key = PrivateKey.new(kind)
    for taken in (path, public):
        if os.path.lexists(taken):
            raise UsageError(f"`{taken}` is there already", hint="name another file with `-o`")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(path, key.pem(password), 0o600)
        _write(public, key.public.pem.encode(), 0o644)
    except OSError as error:
        raise UsageError(f"the key cannot be written: {error.strerror}: `{error.filename}`") from error
    return NewKey(type=kind, keyid=key.keyid, private=path, public=public)


def public_beside(path: Path) -> Path:
    """Where the public half of the key at `path` lies."""
    return path.with_name(path.name.removesuffix(".pem") + PUBLIC)


def private_key(path: Path, password: Callable[[], str | None]) -> PrivateKey:
    """The private key in a file; `password` is asked where it is encrypted. Raises UsageError."""
    content = _content(path, "make one with `mlproj key new`")
    return read_private(content, str(path), password() if is_encrypted(content) else None)


def public_keys(named: Iterable[Path], trusted: Iterable[Path]) -> tuple[PublicKey, ...]:
    """The keys in the files that are `named`, and in those files and folders that are `trusted` anyway, of
    which none need be there. Raises UsageError."""
    found: dict[str, PublicKey] = {}
    for path in (*named, *_there(trusted)):
        key = read_public(_content(path, None), str(path))
        found.setdefault(key.keyid, key)
    return tuple(found.values())


def _there(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(path.glob("*.pem"))
        elif path.exists():
            yield path


def _write(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        os.fchmod(descriptor, mode)
        write_all(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _content(path: Path, hint: str | None) -> bytes:
    try:
        content = read_regular(path)
    except OSError as error:
        raise UsageError(f"the key `{path}` cannot be read: {error.strerror}", hint=hint) from error
    if len(content) > _LARGEST:
        raise UsageError(f"`{path}` is too large for a key")
    return content
