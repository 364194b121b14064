"""Begins in every Python below a run, before its program: so that it costs next to nothing, it only waits.

Older Pythons read this file too (it is Python 2 as well), and then leave it at that.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any  # noqa: F401  # ruff does not read the comments that type this file

FOLDER = os.path.dirname(__file__)
NAME = "_mlproj_hook"


class Waiting:
    """An import finder that finds nothing of its own, and loads the hook at the first import of mlflow."""

    def __init__(self):
        # type: () -> None
        self._find = None  # type: Any

    def find_spec(self, name, path=None, target=None):
        # type: (str, Any, Any) -> Any
        if not name.startswith("mlflow"):
            return None
        if self._find is None:
            try:
                self._find = load()
            except Exception:
                self._find = find_nothing
        return self._find(self, name, path, target)


def find_nothing(*_):
    # type: (object) -> None
    return None


def load():
    # type: () -> Any
    """What is asked for modules from now on. Loaded under a name that nobody's project has."""
    util = __import__("importlib.util", fromlist=("util",))
    folder = os.path.dirname(FOLDER)
    spec = util.spec_from_file_location(
        NAME, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    module = util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)
    return __import__(NAME + ".beginning", fromlist=("beginning",)).begin()


def wanted():
    # type: () -> bool
    """Whether there is a run whose endpoint its programs log to."""
    needed = os.environ.get("MLPROJ_RUN_ID") and os.environ.get("MLPROJ_TRACKING_URI")
    return bool(needed) and not os.environ.get("MLPROJ_NO_HOOK")


def look(place):
    # type: (str) -> None
    """Has it noted what the program opens; by a Python that cannot tell, that it cannot."""
    if hasattr(sys, "addaudithook"):
        __import__("_mlproj_reads").begin(place)
        del sys.modules["_mlproj_reads"]
    else:
        with open(os.path.join(place.partition(":")[2], "old-" + str(os.getpid())), "w") as file:
            file.write("O " + sys.version.split()[0] + "\0")


if sys.version_info >= (3, 6) and wanted():
    sys.meta_path.insert(0, Waiting())
if os.environ.get("MLPROJ_READS"):
    try:  # noqa: SIM105  # nothing is loaded for it
        look(os.environ["MLPROJ_READS"])
    except Exception:  # the folder is gone with its run, or the disk is full
        pass

# From here on it is as if this folder were not there: the environment may have a `sitecustomize` of its own.
# Where there is none, the ImportError is the one that Python expects, and leaves no module behind.
sys.path[:] = [entry for entry in sys.path if entry != FOLDER]
this = sys.modules.pop("sitecustomize", None)
__import__("sitecustomize")
