"""A server's certificate that only those believe who are told to, made by openssl."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.conftest import need


def self_signed(folder: Path, name: str = "IP:127.0.0.1") -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, or another `name`, which is no authority for others, and its key."""
    need("openssl", shutil.which("openssl") is not None)
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    names = ("-subj", "/CN=localhost", "-addext", f"subjectAltName={name}")
    kind = ("-newkey", "rsa:2048", "-nodes", "-days", "1", "-addext", "basicConstraints=critical,CA:FALSE")
    command = ("openssl", "req", "-x509", *kind, *names, "-keyout", key, "-out", certificate)
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key
