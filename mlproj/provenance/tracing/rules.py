"""Which of the files that a run opened are data, rather than the environment, the system or a cache."""

from __future__ import annotations

import functools
import os
import re

from mlproj.ports import Recorded
from mlproj.provenance.rules import looks_secret_file

SYSTEM = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/run", "/sbin", "/snap"),
    *("/sys", "/usr", "/var/cache", "/var/lib", "/var/run", "/System", "/Library"),
)
"""Folders of the system: its programs, settings, certificates, fonts and time zones."""
SHARED_MEMORY = "/dev/shm/"

ENVIRONMENT = r"site-packages|dist-packages|conda-meta|lib(64)?/(python|pypy)\d[\d.]*"
"""Packages of a Python, wherever it lies."""
CACHES = (
    r"\.ipynb_checkpoints|\.pytest_cache|\.mypy_cache|\.ruff_cache|\.ipython|\.jupyter|\.nv/ComputeCache"
    r"|\.triton/cache"
    r"|\.cache/(matplotlib|fontconfig|pip|uv|pypoetry|pre-commit|numba|pycuda|torch_extensions|mlproj)"
)
"""What only saves time, and could be taken away: of `~/.cache` these, since models lie there, too."""
TOOLS = r"\.git|\.mlflow|\.ssh|\.docker|\.kube|\.aws|\.config/(git|pip|uv|mlflow|gcloud)"
"""What belongs to programs that fetch and keep, and compute nothing."""
_FOLDERS = re.compile(f"/({ENVIRONMENT}|{CACHES}|{TOOLS})/")

_NAMES = re.compile(r"(\.(so(\.\d+)*|dylib|pyd|nbi|nbc)|^\.(gitconfig|condarc|boto))$")
"""Shared libraries, what numba keeps, and settings of tools."""

_SYSTEM = tuple(f"{folder}/" for folder in SYSTEM)
_BYTECODE = re.compile(r"__pycache__/(?P<module>[^/]+?)\.[^/.]*(\.opt-\d)?\.pyc$")
_INSTALLED = ("pyvenv.cfg", "conda-meta")
"""What lies in the folder of an environment."""


class Rules:
    """The rules for one run. Paths are absolute, and without links."""

    def __init__(self, recorded: Recorded) -> None:
        self._root = os.path.realpath(recorded.snapshot.root).rstrip("/") + "/"
        self._snapshot = recorded.snapshot
        self._known = frozenset(os.path.realpath(path) for path in recorded.paths)
        self._folders = tuple(f"{folder}/" for folder in self._known)
        # A checkout of ours lies in our cache, and is none of it.
        self._inside = tuple(folder for folder in self._folders if not self._root.startswith(folder))
        self._is_of_no_data = functools.lru_cache(maxsize=None)(self._holds_no_data)
        self._is_environment = functools.lru_cache(maxsize=None)(self._looks_like_environment)

    def source_of(self, path: str) -> str:
        """The file that a path stands for: of bytecode, the module it was compiled from."""
        found = _BYTECODE.search(path) if path.endswith(".pyc") else None
        return path if found is None else f"{path[: found.start()]}{found['module']}.py"

    def is_recorded(self, path: str) -> bool:
        """Whether the record names the file, or a folder that it is in, already; or it is our own."""
        if path in self._known:
            return True
        if not path.startswith(self._root):
            return path.startswith(self._folders)
        return path.startswith(self._inside) or path[len(self._root) :] in self._files

    @functools.cached_property
    def _files(self) -> frozenset[str]:
        # A link among them leads elsewhere, to a file that has another path and is not held.
        return frozenset(file.path for file in self._snapshot.read)

    def is_data(self, path: str) -> bool:
        """Whether the file is none of those that every program opens."""
        folder, _, name = path.rpartition("/")
        if self._is_of_no_data(folder) or _NAMES.search(name):
            return False
        # Secrets say who asks, and not what is computed; the digest of one would help to guess it.
        return not looks_secret_file(os.fsencode(path))

    def _holds_no_data(self, folder: str) -> bool:
        inside = f"{folder}/".startswith(self._root)
        if not inside and _is_of_the_system(f"{folder}/"):
            return True
        shown = f"/{folder[len(self._root) :]}/" if inside else f"{folder}/"
        return _FOLDERS.search(shown) is not None or self._is_environment(folder)

    def _looks_like_environment(self, folder: str) -> bool:
        """Whether an environment begins here or above; in the project, whether one begins below its root."""
        if folder in ("/", "") or folder + "/" == self._root:
            return False
        if any(os.path.exists(f"{folder}/{name}") for name in _INSTALLED):
            return True
        return self._is_environment(os.path.dirname(folder))


def _is_of_the_system(path: str) -> bool:
    return path.startswith(_SYSTEM) and not path.startswith(SHARED_MEMORY)
