"""Loads this folder as a package under a name that no model's own code has, and starts the program."""

import importlib
import importlib.util
import os
import sys

NAME = "_mlproj_scoring"


def load() -> None:
    folder = os.path.dirname(os.path.abspath(__file__))
    # A model's code finds its own modules, and not those of this program, by their names.
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != folder]
    spec = importlib.util.spec_from_file_location(
        NAME, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    load()
    sys.exit(importlib.import_module(f"{NAME}.program").main(sys.argv[1:]))
