"""Trees in colour, by Rich."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from mlproj.cli.controls import printable
from mlproj.cli.trees import Branch
from mlproj.errors import one_line


def paint(trees: Sequence[Branch], stream: TextIO) -> None:
    console = Console(file=stream, highlight=False)
    for tree in trees:
        console.print(_tree(tree))


def _tree(branch: Branch) -> Tree:
    tree = Tree(Text(one_line(printable(branch.text)), style=branch.style), guide_style="dim")
    tree.children.extend(_tree(each) for each in branch.branches)
    return tree
