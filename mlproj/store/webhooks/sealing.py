"""Secrets of webhooks as the database has them: encrypted, by a key that lies elsewhere."""

from __future__ import annotations

import contextlib
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from mlproj.errors import StoreError, UsageError
from mlproj.files import put_atomically
from mlproj.spec.webhook_rules import KEY_VARIABLE
from mlproj.store.failures import explained
from mlproj.store.founding import KEY_OF_WEBHOOKS


class Seal:
    """Encrypts by the key that is given, else by the one in the store's folder, made when it is needed."""

    def __init__(self, root: Path, key: str | None) -> None:
        self._path = root / KEY_OF_WEBHOOKS
        self._given = key

    def closed(self, secret: str) -> str:
        """Raises UsageError where the key is none, StoreError where it cannot be made."""
        return self._cipher(make=True).encrypt(secret.encode()).decode()

    def opened(self, text: str) -> str:
        """Raises StoreError where it was encrypted by another key."""
        try:
            return self._cipher(make=False).decrypt(text.encode()).decode()
        except (InvalidToken, FileNotFoundError) as error:
            raise StoreError(
                "the webhook's secret cannot be read by the key that is here",
                hint=f"it was encrypted by that in `{KEY_VARIABLE}`, or in `{KEY_OF_WEBHOOKS}` of the store; "
                "with neither, the webhook needs a new secret",
            ) from error

    def _cipher(self, *, make: bool) -> Fernet:
        if self._given:
            key, place = self._given.encode(), KEY_VARIABLE
        else:
            key, place = self._in_file(make), str(self._path)
        try:
            return Fernet(key.strip())
        except ValueError as error:
            raise UsageError(
                f"`{place}` holds no key", hint="32 bytes in base64, as `Fernet.generate_key()` makes them"
            ) from error

    def _in_file(self, make: bool) -> bytes:
        if not make:
            return self._path.read_bytes()
        with explained(self._path.parent):
            # Of several that make it at once, the first has.
            if not self._path.exists():
                with (
                    contextlib.suppress(FileExistsError),
                    put_atomically(self._path, replacing=False, mode=0o600) as file,
                ):
                    file.write(Fernet.generate_key())
            return self._path.read_bytes()
