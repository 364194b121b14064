"""Stands in for what conda has installed when uv resolves: wheels that hold nothing but their metadata.

uv looks at an index alone, where conda's packages need not be: pip would take them as they are installed.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

_FIELD = re.compile(rb"^(?P<name>Name|Version):[ \t]*(?P<value>\S+)", re.MULTILINE | re.IGNORECASE)
_WHEEL = "Wheel-Version: 1.0\nGenerator: mlproj\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def write_stand_ins(prefix: Path, folder: Path) -> tuple[str, ...]:
    """Puts one into `folder` for each distribution in the environment `prefix`; returns `name==version`s."""
    return tuple(_write(metadata, folder) for metadata in _metadata(prefix))


def _metadata(prefix: Path) -> Iterator[bytes]:
    for site in sorted(prefix.glob("lib/python*/site-packages")):
        for info in sorted((*site.glob("*.dist-info/METADATA"), *site.glob("*.egg-info/PKG-INFO"))):
            content = info.read_bytes()
            if {found["name"].lower() for found in _FIELD.finditer(content)} >= {b"name", b"version"}:
                yield content


def _write(metadata: bytes, folder: Path) -> str:
    fields = {found["name"].lower(): found["value"].decode() for found in _FIELD.finditer(metadata)}
    name, version = re.sub(r"[-_.]+", "_", fields[b"name"]), fields[b"version"]
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{info}/METADATA", metadata)
        wheel.writestr(f"{info}/WHEEL", _WHEEL)
        wheel.writestr(f"{info}/RECORD", "")
    return f"{fields[b'name']}=={version}"
