"""`attested: {by: …}` of the rules: the public keys of which one has to have signed the run.

Rules are kept where no file of their author's is, so they hold the keys themselves: where the author names
files, the keys in them are put in their place.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import re
from collections.abc import Callable, Iterator

import yaml

from mlproj.errors import UsageError
from mlproj.spec.documents import Entry, Listing, Node, Scalar, Table, failure, is_null
from mlproj.spec.fields import kind

KeysOf = Callable[[str], tuple[str, ...]]
"""The public keys, each in base64, in a file or folder that the rules name. Raises UsageError."""

_BY = "by"
_HINT = "`attested: {by: team.pub.pem}` names one, and `by:` takes a list, too"
_LOOKS_LIKE_A_KEY = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}")
_KINDS = {
    bytes.fromhex("302a300506032b6570032100"): 44,
    bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200"): 91,
}
"""How a public key begins that is Ed25519's, or ECDSA's over P-256, and how many bytes it has."""


def attesting(entry: Entry | None) -> tuple[str, ...]:
    """The keys, each in base64; none where no attestation is asked for. Raises SpecError."""
    found: dict[str, None] = {}
    for scalar in _scalars(entry):
        for word in _words(scalar):
            if not _is_key(word):
                raise failure(
                    f"`{word}` is no public key",
                    scalar.location,
                    "`mlproj models rules --set` puts the keys in files into the rules that name these",
                )
            found[word] = None
    return tuple(found)


def with_keys(text: str, entry: Entry | None, keys_of: KeysOf) -> str:
    """The text with the keys in the place of the files that `entry` names. Raises SpecError with the line."""
    wanted = {(scalar.location.line, scalar.text): scalar for scalar in _scalars(entry)}
    if entry is None or not wanted:
        return text
    try:
        tokens = [token for token in yaml.scan(text) if isinstance(token, yaml.ScalarToken)]
    except yaml.YAMLError as error:
        hint = "write the keys themselves, each in base64"
        raise failure("keys cannot be put into this file", entry.location, hint) from error
    for token in reversed(tokens):
        start, end = token.start_mark, token.end_mark
        scalar = wanted.get((start.line + 1, token.value))
        if scalar is not None:
            text = f"{text[: start.index]}{_keys(scalar, keys_of)}{text[end.index :]}"
    return text


def _keys(scalar: Scalar, keys_of: KeysOf) -> str:
    """What to write for a file: a key as it is, of a folder one behind the other."""
    try:
        found = [(word,) if _is_key(word) else keys_of(word) for word in _words(scalar)]
    except UsageError as error:
        raise failure(error.message, scalar.location, error.hint) from error
    return " ".join(itertools.chain.from_iterable(found))


def _scalars(entry: Entry | None) -> Iterator[Scalar]:
    """What stands for keys, or names files of them."""
    value = None if entry is None else entry.value
    if entry is None or is_null(value) or _is_off(value):
        return
    by = value.find(_BY) if isinstance(value, Table) else None
    if not isinstance(value, Table) or by is None or len(value.entries) != 1:
        raise failure("`attested` has to name the keys that count", entry.location, _HINT)
    items = by.value.items if isinstance(by.value, Listing) else (by.value,)
    if not items or any(is_null(item) for item in items):
        raise failure("`by` names no key, so nobody's signature would count", by.location, _HINT)
    for item in items:
        if not isinstance(item, Scalar):
            raise failure(f"`by` is a key or a list of keys, not {kind(item)}", by.location, _HINT)
        yield item


def _is_off(value: Node | None) -> bool:
    return isinstance(value, Scalar) and value.kind == "bool" and value.text.lower() in ("false", "no", "off")


def _words(scalar: Scalar) -> list[str]:
    """Keys of a folder stand one behind the other; a name of a file may have blanks."""
    words = scalar.text.split()
    return words if words and all(map(_is_key, words)) else [scalar.text]


def _is_key(word: str) -> bool:
    if not _LOOKS_LIKE_A_KEY.fullmatch(word):
        return False
    try:
        content = base64.b64decode(word, validate=True)
    except binascii.Error:
        return False
    return any(content.startswith(start) and len(content) == size for start, size in _KINDS.items())
