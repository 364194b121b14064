from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from mlproj.errors import UsageError
from mlproj.exports.keys import KeyType, PrivateKey, read_private, read_public
from tests.conftest import need

OTHERS = {
    # made by `openssl genpkey`
    "rsa": ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"),
    "p384": ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"),
}


@pytest.mark.parametrize("kind", KeyType)
def test_what_was_signed_fits_and_nothing_else(kind: KeyType) -> None:
    key, other = PrivateKey.new(kind), PrivateKey.new(kind)
    signature = key.sign(b"message")
    assert key.public.fits(signature, b"message")
    assert not key.public.fits(signature, b"messages")
    assert not key.public.fits(signature[:-1], b"message")
    assert not key.public.fits(b"", b"message")
    assert not other.public.fits(signature, b"message")
    assert other.keyid != key.keyid


@pytest.mark.parametrize("kind", KeyType)
@pytest.mark.parametrize("password", [None, "pass word"])
def test_a_key_is_read_from_its_files(kind: KeyType, password: str | None) -> None:
    key = PrivateKey.new(kind)
    pem = key.pem(password)
    assert (b"ENCRYPTED" in pem) is (password is not None)
    again = read_private(pem, "key.pem", password)
    assert (again.keyid, again.public.type) == (key.keyid, kind)
    assert read_public(key.public.pem.encode(), "key.pub.pem").fits(again.sign(b"m"), b"m")


def test_the_wrong_password_is_told() -> None:
    pem = PrivateKey.new(KeyType.ED25519).pem("secret")
    with pytest.raises(UsageError, match="is wrong"):
        read_private(pem, "key.pem", "other")
    with pytest.raises(UsageError, match="no password was given"):
        read_private(pem, "key.pem", None)


@pytest.mark.parametrize("kind", OTHERS)
def test_a_key_of_another_kind_is_refused(kind: str, tmp_path: Path) -> None:
    need("openssl", shutil.which("openssl") is not None)
    path = tmp_path / "key.pem"
    subprocess.run(("openssl", "genpkey", *OTHERS[kind], "-out", path), check=True, capture_output=True)
    with pytest.raises(UsageError, match="neither Ed25519 nor ECDSA"):
        read_private(path.read_bytes(), "key.pem", None)
    command = ("openssl", "pkey", "-in", path, "-pubout")
    public = subprocess.run(command, check=True, capture_output=True).stdout
    with pytest.raises(UsageError, match="neither Ed25519 nor ECDSA"):
        read_public(public, "key.pub.pem")


def test_what_is_no_key_is_refused() -> None:
    key = PrivateKey.new(KeyType.ED25519)
    for content in (b"", b"-----BEGIN PRIVATE KEY-----\n", key.public.pem.encode()):
        with pytest.raises(UsageError, match="no private key"):
            read_private(content, "x", None)
    for content in (b"", key.pem(None)):
        with pytest.raises(UsageError, match="no public key"):
            read_public(content, "x")


@pytest.mark.parametrize("kind", KeyType)
def test_openssl_verifies_a_signature(kind: KeyType, tmp_path: Path) -> None:
    need("openssl", shutil.which("openssl") is not None)
    key = PrivateKey.new(kind)
    files = {"message": b"hello", "sig": key.sign(b"hello"), "pub": key.public.pem.encode()}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    given = ("-pubin", "-inkey", "pub", "-sigfile", "sig", "-in", "message", "-rawin")
    digest = ("-digest", "sha256") if kind is KeyType.ECDSA else ()
    command = ("openssl", "pkeyutl", "-verify", *given, *digest)
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and "Success" in done.stdout, done.stderr
