"""How to show oneself to a tracking server: the variables and the file that MLflow's client takes it from."""

from __future__ import annotations

import base64
import configparser
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

FILE = Path(".mlflow") / "credentials"
"""In the home folder."""

_TRUE = ("true", "1")


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, and whom to believe. `authorities` is a file or folder of certificates."""

    authorization: str | None = None
    verified: bool = True
    authorities: Path | None = None
    certificate: Path | None = None

    def __repr__(self) -> str:
        return "Credentials(...)"


def read_credentials(uri: str, environ: Mapping[str, str]) -> Credentials:
    """What MLflow's client would send to `uri`: a user with a password comes before a token, and both before
    what stands in the address itself."""
    authorities = (
        environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH")
        or environ.get("REQUESTS_CA_BUNDLE")
        or environ.get("CURL_CA_BUNDLE")
    )
    certificate = environ.get("MLFLOW_TRACKING_CLIENT_CERT_PATH")
    insecure = environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in _TRUE
    return Credentials(
        authorization=_authorization(uri, environ),
        verified=not insecure,
        authorities=Path(authorities) if authorities else None,
        certificate=Path(certificate) if certificate else None,
    )


def _authorization(uri: str, environ: Mapping[str, str]) -> str | None:
    kept = _kept(Path(environ.get("HOME", "~")).expanduser() / FILE)
    user = environ.get("MLFLOW_TRACKING_USERNAME") or kept.get("mlflow_tracking_username")
    password = environ.get("MLFLOW_TRACKING_PASSWORD") or kept.get("mlflow_tracking_password")
    if user and password:
        return _basic(user, password)
    if token := environ.get("MLFLOW_TRACKING_TOKEN"):
        return f"Bearer {token}"
    parts = urlsplit(uri)
    if parts.username is None:
        return None
    return _basic(unquote(parts.username), unquote(parts.password or ""))


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _kept(path: Path) -> Mapping[str, str]:
    """What the file says; nothing where it cannot be read, as with MLflow."""
    reader = configparser.ConfigParser(interpolation=None)
    try:
        reader.read(path, encoding="utf-8")
    except (configparser.Error, OSError, ValueError):
        return {}
    return reader["mlflow"] if reader.has_section("mlflow") else {}
