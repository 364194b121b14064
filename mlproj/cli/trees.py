"""Trees: with coloured branches on a terminal, and as plain indented lines elsewhere."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TextIO

from mlproj.cli.controls import printable
from mlproj.cli.terminal import is_terminal
from mlproj.errors import one_line


@dataclass(slots=True, kw_only=True)
class Branch:
    """A line and what hangs on it. `style` is one of Rich's, where there is colour."""

    text: str
    style: str = ""
    branches: list[Branch] = field(default_factory=list)


def print_trees(trees: Sequence[Branch], stream: TextIO | None = None) -> None:
    """Prints the trees one after the other."""
    target = stream or sys.stdout
    if is_terminal(target):
        importlib.import_module("mlproj.cli.coloured_trees").paint(trees, target)
    else:
        target.writelines(f"{line}\n" for tree in trees for line in plain_tree(tree))


def plain_tree(tree: Branch, first: str = "", rest: str = "") -> Iterator[str]:
    """The lines of a tree; `first` stands before its own, `rest` before the others."""
    yield first + one_line(printable(tree.text))
    for number, branch in enumerate(tree.branches, 1):
        last = number == len(tree.branches)
        yield from plain_tree(branch, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  "))
