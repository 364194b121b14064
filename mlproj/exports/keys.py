"""Keys that sign: Ed25519, and ECDSA over P-256, as PEM files that other programs read too."""

from __future__ import annotations

import hashlib
from enum import Enum
from typing import Any, cast

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from mlproj.errors import UsageError

_BEGIN, _END = "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"
_ECDSA_SCHEME = "ecdsa-sha2-nistp256"


class KeyType(str, Enum):
    """Which kind of key."""

    ED25519 = "ed25519"
    ECDSA = "ecdsa"


class PublicKey:
    """A public key: an `exports.dsse.Verifier`."""

    def __init__(self, key: Ed25519PublicKey | EllipticCurvePublicKey, label: str) -> None:
        self._key = key
        self.label = label
        self.type = KeyType.ED25519 if isinstance(key, Ed25519PublicKey) else KeyType.ECDSA
        self.pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        self.keyid = self._keyid()

    @property
    def line(self) -> str:
        """The key in one line: what is in the file without what stands around it."""
        return "".join(self.pem.splitlines()[1:-1])

    def fits(self, signature: bytes, message: bytes) -> bool:
        """Whether the key's owner signed the message."""
        try:
            if isinstance(self._key, Ed25519PublicKey):
                self._key.verify(signature, message)
            else:
                self._key.verify(signature, message, ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True

    def _keyid(self) -> str:
        """The id that securesystemslib computes, and with it all that is built on it: the SHA-256 of the key
        in the canonical JSON of OLPC, in which a line break stands as it is."""
        if isinstance(self._key, Ed25519PublicKey):
            scheme, value = "ed25519", self._key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
        else:
            scheme, value = _ECDSA_SCHEME, self.pem
        told = f'{{"keytype":"{self.type.value}","keyval":{{"public":"{value}"}},"scheme":"{scheme}"}}'
        return hashlib.sha256(told.encode()).hexdigest()


class PrivateKey:
    """A private key: an `exports.dsse.Signer`."""

    def __init__(self, key: Ed25519PrivateKey | EllipticCurvePrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key(), "its own")
        self.keyid = self.public.keyid

    @classmethod
    def new(cls, kind: KeyType) -> PrivateKey:
        return cls(
            Ed25519PrivateKey.generate() if kind is KeyType.ED25519 else generate_private_key(SECP256R1())
        )

    def sign(self, message: bytes) -> bytes:
        if isinstance(self._key, Ed25519PrivateKey):
            return self._key.sign(message)
        return self._key.sign(message, ECDSA(SHA256()))

    def pem(self, password: str | None) -> bytes:
        """PKCS#8, encrypted where there is a password."""
        encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def is_encrypted(pem: bytes) -> bool:
    """Whether a private key's file asks for a password."""
    return b"ENCRYPTED" in pem


def read_private(pem: bytes, name: str, password: str | None) -> PrivateKey:
    """The key in a file that is called `name`. Raises UsageError where it is none, or for its password."""
    try:
        key = load_pem_private_key(pem, password.encode() if password and is_encrypted(pem) else None)
    except TypeError as error:
        raise UsageError(f"the key `{name}` is encrypted, and no password was given") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        wrong = is_encrypted(pem)
        raise UsageError(
            f"the password for the key `{name}` is wrong" if wrong else f"`{name}` is no private key",
            hint=None if wrong else "`mlproj key new` makes one",
        ) from error
    return PrivateKey(cast(Any, _supported(key, name, (Ed25519PrivateKey, EllipticCurvePrivateKey))))


def read_public(pem: bytes, name: str) -> PublicKey:
    """The key in a file that is called `name`. Raises UsageError where it is none."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(
            f"`{name}` is no public key", hint="name the file that ends in `.pub.pem`, beside the private one"
        ) from error
    return PublicKey(cast(Any, _supported(key, name, (Ed25519PublicKey, EllipticCurvePublicKey))), name)


def read_line(line: str) -> PublicKey:
    """The key in a line as `PublicKey.line` has it; it is called by its id. Raises UsageError."""
    key = read_public(f"{_BEGIN}\n{line}\n{_END}\n".encode(), line)
    key.label = key.keyid[:8]
    return key


def _supported(key: object, name: str, kinds: tuple[type, ...]) -> object:
    curve = getattr(key, "curve", None)
    if isinstance(key, kinds) and (curve is None or isinstance(curve, SECP256R1)):
        return key
    raise UsageError(f"the key `{name}` is neither Ed25519 nor ECDSA over P-256")
