"""The `mlproj` command."""

from __future__ import annotations

import sys

from mlproj.cli.app import invoke


def main() -> None:
    sys.exit(invoke(sys.argv[1:]))


if __name__ == "__main__":
    main()
