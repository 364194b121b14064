"""Lock files in every notation, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.model.environment import LockedPackage
from mlproj.spec.locks import Unreadable, installed_lock, packages_in, parse_pylock
from mlproj.spec.requirements import normalized

PYLOCK = b"""
lock-version = "1.0"
created-by = "somebody"
created-at = 2026-01-02T03:04:05Z
[[packages]]
name = "Typing_Extensions"
version = "4.1"
[[packages]]
name = "ours"
directory = { path = "ours", editable = true }
[[packages]]
name = "theirs"
directory = { path = "theirs" }
"""


def found(text: bytes, lock_format: str | None) -> dict[str, str]:
    return {package.name: package.version for package in packages_in(text, lock_format)}


def test_locks_of_every_notation_are_read() -> None:
    assert found(PYLOCK, "pylock") == {"typing-extensions": "4.1", "ours": "editable", "theirs": "local"}
    uv = b'version = 1\n[[package]]\nname = "six"\nversion = "1.17.0"\n[[package]]\nname = "p"\n'
    assert found(uv, "uv") == {"six": "1.17.0", "p": ""}
    assert found(b"six==1.17.0\n\nnumpy==2.0\n", "installed") == {"six": "1.17.0", "numpy": "2.0"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"= nonsense", "no TOML"),
        (b"\xff\xfe", "no TOML"),
        (b'lock-version = "2.0"', "reads 1.0"),
        (b"lock-version = 1", "PEP 751"),
        (b"", "lock-version"),
        (b'lock-version = "1.0"\npackages = ["x"]', "PEP 751"),
        (b'lock-version = "1.0"\n[[packages]]\nversion = "1"', "`name`"),
        (b"a = " + b"[" * 100_000, "nested too deeply"),
        (b"a = " + b"{a = " * 100_000, "nested too deeply"),
        (b".".join([b"a"] * 500_000) + b" = 1", "more than 64 parts"),
        (b"[" + b" . ".join([b"'a'"] * 500_000) + b"]", "more than 64 parts"),
        (b"\xff", "no TOML"),
        (b"a = " + b"9" * 1_000_000, "a thousand digits"),
    ],
)
def test_what_is_no_lock_is_told(text: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        parse_pylock(text)


def test_what_is_no_lock_of_uvs_is_told() -> None:
    with pytest.raises(Unreadable, match="of uv"):
        packages_in(b"package = 3", "uv")


names = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,20}[A-Za-z0-9])?", fullmatch=True).map(normalized)


@given(st.dictionaries(names, st.from_regex(r"[0-9][0-9a-z.+!]{0,9}", fullmatch=True)))
def test_what_is_installed_is_read_as_it_was_written(versions: dict[str, str]) -> None:
    packages = tuple(LockedPackage(name=name, version=version) for name, version in versions.items())
    lock = installed_lock(packages)
    assert packages_in(lock.text, lock.format) == packages == lock.packages


def test_dots_that_are_no_key_do_no_harm() -> None:
    dots = b"# " + b"." * 500 + b' a.b.c\nlock-version = "1.0"\nname = "' + b"." * 500 + b'"\n'
    assert parse_pylock(dots).packages == ()
