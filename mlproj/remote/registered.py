"""What a server answers of registered models, as far as finding their files takes it."""

from __future__ import annotations

import msgspec


class DownloadUri(msgspec.Struct, frozen=True):
    artifact_uri: str


class Version(msgspec.Struct, frozen=True):
    version: str


class OneVersion(msgspec.Struct, frozen=True):
    model_version: Version


class Versions(msgspec.Struct, frozen=True):
    model_versions: tuple[Version, ...] = ()
