"""What a snapshot leaves out: declared outputs, what tools like ours write, and what looks like a secret."""

from __future__ import annotations

import fnmatch
import os
import posixpath
import re
from collections.abc import Iterable

from mlproj.model.source import IS_OUTPUT, IS_SECRET
from mlproj.ports import SnapshotRules

OUTPUT = IS_OUTPUT
TOO_LARGE = "larger than the limit"
BEYOND = "beyond the snapshot's limit"
SECRET = IS_SECRET
SPECIAL = "not a regular file"
UNREADABLE = "cannot be read"

TRACKING = "tracking data"
_CACHE = "a cache"
_FOLDERS: dict[bytes, str] = {
    **dict.fromkeys((b"mlruns", b"mlartifacts", b".mlproj"), TRACKING),
    **dict.fromkeys(
        (
            b"__pycache__",
            b".ipynb_checkpoints",
            b".pytest_cache",
            b".mypy_cache",
            b".ruff_cache",
            b".hypothesis",
            b".tox",
            b".nox",
        ),
        _CACHE,
    ),
    b"node_modules": "installed packages",
    b".git": "git's own data",
}
_FILES: dict[bytes, str] = dict.fromkeys(
    (b"mlflow.db", b"mlflow.db-journal", b"mlflow.db-wal", b"mlflow.db-shm"), TRACKING
)
VIRTUALENV = "a virtual environment"
CONDA = "a conda environment"

_EXAMPLES = (".example", ".sample", ".template", ".dist", ".defaults")
_SECRET_NAMES = (
    *(".env", ".env.*", "*.env", ".envrc", ".netrc", "_netrc", ".pypirc", ".npmrc", ".pgpass", ".htpasswd"),
    *(".git-credentials", ".dockercfg", "kubeconfig", "secrets.toml", "secrets.y*ml", "secrets.json"),
    *("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "id_ed25519_sk", "id_ecdsa_sk"),
    *("*.pem", "*.key", "*.p12", "*.pfx", "*.ppk", "*.jks", "*.keystore", "*.kdbx"),
    *("credentials*.json", "*credentials.json", "client_secret*.json", "*service*account*.json"),
)
_SECRET = re.compile("|".join(fnmatch.translate(name) for name in _SECRET_NAMES))
_SECRET_PATHS = (".aws/credentials", ".docker/config.json", ".databrickscfg", ".kaggle/kaggle.json")


def looks_secret_file(path: bytes) -> bool:
    """Whether a file's name is one that secrets are kept under."""
    text = path.decode("utf-8", "replace").lower()
    name = text.rpartition("/")[2]
    if name.endswith(_EXAMPLES):
        return False
    return _SECRET.match(name) is not None or text.endswith(_SECRET_PATHS)


class Sieve:
    """Sorts paths, given as bytes relative to the root, into those that stay and those left out.

    `prefix` is the project's folder relative to the root, which the rules' outputs are relative to.
    """

    def __init__(self, rules: SnapshotRules, prefix: str) -> None:
        self.size_limit = rules.size_limit
        self.total_limit = rules.total_limit
        self.keep = frozenset(os.fsencode(path.removesuffix("/")) for path in rules.keep)
        self._outputs = _from_root(rules.outputs, prefix)
        self._environments: dict[bytes, str] = {}
        self._folders: dict[bytes, tuple[bytes, str] | None] = {}

    def note_environments(self, paths: Iterable[bytes]) -> None:
        """Learns from untracked paths which folders are virtual environments."""
        for path in paths:
            if path.endswith(b"/pyvenv.cfg"):
                self._environments[path[: -len(b"/pyvenv.cfg")]] = VIRTUALENV
            elif b"/conda-meta/" in path:
                self._environments[path.partition(b"/conda-meta/")[0]] = CONDA

    def output(self, path: bytes) -> bytes | None:
        """The declared output that `path` is or lies in, or None."""
        if self._outputs:
            for output in self._outputs:
                if path == output or path.startswith(output + b"/"):
                    return output
        return None

    @property
    def has_outputs(self) -> bool:
        return bool(self._outputs)

    def untracked(self, path: bytes) -> tuple[bytes, str] | None:
        """Why an untracked file stays out, and the topmost path (a folder's with `/`) that does; or None."""
        folder, _, name = path.rpartition(b"/")
        found = self.folder(folder)
        if found is None and name in _FILES:
            found = (path, _FILES[name])
        if found is None and looks_secret_file(path):
            found = (path, SECRET)
        return None if path in self.keep else found

    def folder(self, folder: bytes) -> tuple[bytes, str] | None:
        """Why an untracked folder stays out, and the topmost one that does, or None."""
        if not folder:
            return None
        if folder not in self._folders:
            parent, _, name = folder.rpartition(b"/")
            reason = _FOLDERS.get(name) or self._environments.get(folder)
            above = self.folder(parent)
            self._folders[folder] = above or (None if reason is None else (folder + b"/", reason))
        return self._folders[folder]


def _from_root(outputs: Iterable[str], prefix: str) -> tuple[bytes, ...]:
    """Outputs relative to the root; the whole root, or what lies outside of it, is no output to leave out."""
    paths = set()
    for output in outputs:
        path = posixpath.normpath(posixpath.join(prefix, output))
        if (
            path not in (".", posixpath.normpath(prefix or "."))
            and not path.startswith(("../", "/"))
            and path != ".."
        ):
            paths.add(path.encode("utf-8", "surrogateescape"))
    return tuple(sorted(paths))
