"""The `mlproj` command."""

from __future__ import annotations

import gc
import sys

from mlproj.cli.loading import load
from mlproj.cli.streams import prepare

_YOUNG = 100_000
"""So many objects are made before Python looks for cycles among them. By default it looks after 700, which
in a tree of 50,000 files takes a tenth of the time, and finds nothing."""


def main() -> None:
    gc.set_threshold(_YOUNG, 50, 50)
    prepare()
    sys.exit(load("mlproj.cli.app").invoke(sys.argv[1:]))


if __name__ == "__main__":
    main()
