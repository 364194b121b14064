"""The `mlproj` command."""

from __future__ import annotations

import sys

from mlproj.cli.loading import load
from mlproj.cli.streams import prepare


def main() -> None:
    prepare()
    sys.exit(load("mlproj.cli.app").invoke(sys.argv[1:]))


if __name__ == "__main__":
    main()
