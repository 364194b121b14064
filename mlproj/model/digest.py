"""Content has a name: SHA-256 digests of bytes, files' lines and folders, and the one canonical encoding."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from binascii import hexlify
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import rfc8785

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Digest(str):
    """The SHA-256 of some content, as the text `sha256:<64 lower-case hex digits>`.

    Raises ValueError for any other text.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Digest:
        if not _DIGEST.fullmatch(text):
            raise ValueError(f"not a digest: {text!r}")
        return super().__new__(cls, text)

    @property
    def hex(self) -> str:
        return self[7:]

    @property
    def name(self) -> bytes:
        """Where content with this digest lies below the place of all contents."""
        return f"sha256/{self[7:9]}/{self[9:]}".encode()

    @classmethod
    def of_name(cls, name: bytes) -> Digest:
        """The digest whose `name` that is; raises ValueError for what is none."""
        return cls.from_hex(name.decode().removeprefix("sha256/").replace("/", ""))

    @classmethod
    def of(cls, content: bytes) -> Digest:
        return super().__new__(cls, "sha256:" + hashlib.sha256(content).hexdigest())

    @classmethod
    def from_hex(cls, digits: str) -> Digest:
        return cls(f"sha256:{digits}")

    @classmethod
    def from_raw(cls, raw: bytes) -> Digest:
        """The digest whose 32 bytes these are; raises ValueError for another number of them."""
        if len(raw) != 32:
            raise ValueError(f"not a digest: {raw!r}")
        return super().__new__(cls, "sha256:" + raw.hex())


def canonical(value: Json) -> bytes:
    """The one byte string for a JSON value (RFC 8785, JSON Canonicalization Scheme).

    Raises ValueError for what JSON cannot hold: NaN, infinities, integers beyond 2**53.
    """
    try:
        content = _write(value).encode()
    except TypeError:  # a mapping of another kind, or what is no JSON at all
        return rfc8785.dumps(value)
    # Many times faster, and the same but for some numbers and for the order of odd keys.
    return rfc8785.dumps(value) if _is_spelt_otherwise(content) else content


def is_canonical(content: bytes, noun: object = None) -> bool:
    """Whether some JSON is in its canonical form. Raises ValueError where it is none.

    Whoever has the noun that was read from it already spares us to read it once more.
    """
    try:
        if not _is_spelt_otherwise(content):
            if noun is not None and msgspec.json.encode(noun, order="sorted", enc_hook=str) == content:
                return True
            if msgspec.json.encode(msgspec.json.decode(content), order="sorted") == content:
                return True
        # As in JavaScript, whose notation this is, there are no integers apart from other numbers.
        return rfc8785.dumps(json.loads(content, parse_int=float)) == content
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _is_spelt_otherwise(content: bytes) -> bool:
    """Whether JavaScript, whose notation the canonical one is, may spell or sort something otherwise than
    Python and msgspec do: where it only looks so, in a string, nothing but time is lost."""
    odd = not content.startswith((b"{", b"[", b'"')) or any(
        pattern.search(content) for pattern in _ODD_NUMBERS
    )
    # Keys are sorted by the halves of characters beyond 16 bits.
    return odd or (not content.isascii() and _BEYOND.search(content) is not None)


_write = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
).encode
_BEYOND = re.compile(rb"[\xf0-\xf4]")
_ODD_NUMBERS = tuple(
    # Each begins with what is looked for at once: one pattern for all three takes ten times as long.
    re.compile(before + rb"(?=[-0-9])-?(?:[0-9]+(?:\.[0-9]+)?[eE]|[0-9]+\.0[,\]}]|[0-9]{16}|0\.000000)")
    for before in (rb'":', rb"\[", rb",")
)
"""A number with an exponent, a whole float, a very long and a very small number."""


def readable(path: str | bytes) -> str:
    """A path as text that JSON can hold: bytes that are no UTF-8 stand as `\\xNN`."""
    raw = path.encode("utf-8", "surrogateescape") if isinstance(path, str) else path
    return raw.decode("utf-8", "backslashreplace")


def plain(noun: object) -> Any:
    """A frozen struct or dataclass and all that it holds as dicts, lists, numbers and strings."""
    return msgspec.to_builtins(noun, enc_hook=str)


_digest = functools.lru_cache(maxsize=4096)(Digest)
"""The same few are named in many records."""


def as_digest(kind: type[Any], value: Any) -> Any:
    """What turns the text of a digest into one while msgspec decodes."""
    if kind is Digest:
        return _digest(value)
    raise TypeError(f"cannot read a {kind.__name__}")


def folder_manifest(files: Iterable[tuple[bytes, Digest]]) -> bytes:
    """The lines that `sha256sum` prints for a folder's files, sorted by path.

    `files` holds paths relative to the folder (bytes, no leading `./`). The manifest's own SHA-256 is the
    folder's digest: the `h1` directory hash of Go modules, `dirHash` of in-toto. In a shell:
    `find -L . -type f | cut -c3- | LC_ALL=C sort | xargs -d '\\n' sha256sum -- | sha256sum`.
    """
    return b"".join(_line(digest.hex.encode(), path) for path, digest in sorted(files))


def manifest_lines(digests: Sequence[bytes], paths: Sequence[bytes]) -> bytes:
    """The lines of a folder's manifest for some files: the 32 bytes of each digest, and its path.

    Whoever comes by the files in the order of their paths need not hold the manifest to digest it.
    """
    if _SPECIAL.search(b"".join(paths)) is None:
        return b"".join(
            [b"%s  %s\n" % (hexlify(raw), path) for raw, path in zip(digests, paths, strict=True)]
        )
    return b"".join([_line(hexlify(raw), path) for raw, path in zip(digests, paths, strict=True)])


def snapshot_manifest(files: Iterable[tuple[bytes, int, Digest]]) -> bytes:
    """As `folder_manifest`, each line with git's file mode in octal (100644, 100755, 120000) before it.

    A symbolic link counts by its target's text. The manifest's SHA-256 is the snapshot's digest.
    """
    entries = sorted(files)
    return b"".join([_line(b"%o %s" % (mode, digest[7:].encode()), path) for path, mode, digest in entries])


def read_manifest(manifest: bytes) -> tuple[tuple[bytes, int, Digest], ...]:
    """The (path, mode, digest) triples of a manifest of either kind; mode is 0 in a folder's.

    Raises ValueError for a line that is not one of a manifest.
    """
    entries = []
    for line in manifest.split(b"\n")[:-1]:
        escaped = line.startswith(b"\\")
        head, separator, path = line[escaped:].partition(b"  ")
        mode, _, digits = head.rpartition(b" ")
        if not separator:
            raise ValueError(f"not a line of a manifest: {line!r}")
        entries.append(
            (_unescape(path) if escaped else path, int(mode or b"0", 8), Digest.from_hex(digits.decode()))
        )
    return tuple(entries)


def find_in_manifest(manifest: bytes, path: bytes) -> Digest | None:
    """The content of one file by a folder's manifest, without reading of the others; None where it has none.

    Raises ValueError as `read_manifest`.
    """
    end = _line(b"", path).removeprefix(b"\\")
    at = manifest.find(end)
    while at >= 0:
        begin = at - _DIGITS
        before = manifest[begin - 1 : begin] if begin > 0 else b"\n"
        if begin >= 0 and before in (b"\n", b"\\"):
            return Digest.from_hex(manifest[begin:at].decode())
        at = manifest.find(end, at + 1)
    return None


def read_folder(manifest: bytes) -> tuple[tuple[bytes, Digest], ...]:
    """Path and content of each file that a folder's manifest lists.

    Raises ValueError where it is not, byte for byte, what `folder_manifest` makes of them: of all lists of
    the same files, one alone has the folder's digest.
    """
    files = tuple((path, digest) for path, _, digest in read_manifest(manifest))
    if folder_manifest(files) != manifest:
        raise ValueError("it is not as mlproj writes it")
    return files


_DIGITS = 64
_ESCAPES = {b"\\": b"\\\\", b"\n": b"\\n", b"\r": b"\\r"}
_SPECIAL = re.compile(rb"[\\\n\r]")
_UNESCAPES = {escape: plain for plain, escape in _ESCAPES.items()}


def _line(head: bytes, path: bytes) -> bytes:
    """One line as coreutils writes it: a leading backslash says that the name holds escapes."""
    if _SPECIAL.search(path) is None:
        return b"%s  %s\n" % (head, path)
    return b"\\%s  %s\n" % (head, _SPECIAL.sub(lambda match: _ESCAPES[match[0]], path))


def _unescape(path: bytes) -> bytes:
    return re.sub(rb"\\[\\nr]", lambda match: _UNESCAPES[match[0]], path)
