"""The `mlproj` command."""

from __future__ import annotations

import sys

from mlproj.cli.loading import load


def main() -> None:
    sys.exit(load("mlproj.cli.app").invoke(sys.argv[1:]))


if __name__ == "__main__":
    main()
