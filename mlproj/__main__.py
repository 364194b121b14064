"""The `mlproj` command."""

from __future__ import annotations

import gc
import os
import sys

from mlproj.cli.loading import load
from mlproj.cli.streams import prepare

_YOUNG = 100_000
"""So many objects are made before Python looks for cycles among them. By default it looks after 700, which
in a tree of 50,000 files takes a tenth of the time, and finds nothing."""


def main() -> None:
    if os.environ.pop("MLPROJ_READS", None) is not None:
        # As a step of a run, whose record tells what this one reads by itself.
        sys.audit("mlproj.untraced")
    gc.set_threshold(_YOUNG, 50, 50)
    prepare()
    code = load("mlproj.cli.app").invoke(sys.argv[1:])
    # Python looks for cycles again as it ends: a tenth of a second, where a script had its endpoint loaded.
    gc.freeze()
    sys.exit(code)


if __name__ == "__main__":
    main()
