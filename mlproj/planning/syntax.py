"""Bash's grammar: a script as a tree, and what is asked of its nodes.

Loaded only where a value holds shell characters, and by `check`: the grammar takes time to load.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from mlproj.planning.places import Mark

_LANGUAGE = Language(tree_sitter_bash.language())

_QUOTING = re.compile(r"\\\n|['\"\\]")


def parse(content: bytes) -> Node:
    """The root of the tree of a script; it holds nodes of errors where the script is none."""
    return Parser(_LANGUAGE).parse(content).root_node


def size(root: Node, depth: int) -> int | None:
    """How many nodes the tree has, or None where it is deeper than `depth`."""
    total, level = 0, [root]
    for _ in range(depth):
        total += len(level)
        level = [child for node in level for child in node.children]
        if not level:
            return total
    return None


def upward(node: Node | None) -> Iterator[Node]:
    """The node and what it stands in, up to the root."""
    while node is not None:
        yield node
        node = node.parent


def walk(node: Node) -> Iterator[Node]:
    """The node and all within, in no order to rely on."""
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        pending += current.children


def holds(node: Node, kind: str) -> bool:
    return any(inner.type == kind for inner in walk(node))


def opening(node: Node) -> str:
    """The type of the node's first part: the sign that tells `[` from `[[` and `$(` from a backtick."""
    return node.children[0].type if node.children else ""


def text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


def word_nodes(command: Node) -> list[Node]:
    """The command's name and arguments; redirections and assignments before it are none."""
    name = command.child_by_field_name("name")
    return [*([name] if name else []), *command.children_by_field_name("argument")]


def words(command: Node, marks: Sequence[Mark]) -> list[str]:
    """The command's words without quotes, and without the marks: a value may be empty, too."""
    return [unquoted(node, marks) for node in word_nodes(command)]


def unquoted(node: Node, marks: Sequence[Mark]) -> str:
    """The node's text without quotes and without `marks`, which are in the order of the script."""
    content = node.text or b""
    first = bisect_left(marks, node.start_byte, key=_start)
    last = bisect_left(marks, node.end_byte, key=_start)
    for mark in reversed(marks[first:last]):
        start = mark.start - node.start_byte
        if start + mark.length <= len(content):
            content = content[:start] + content[start + mark.length :]
    return _QUOTING.sub("", content.decode("utf-8", "replace"))


def destinations(node: Node) -> Iterator[Node]:
    """The files that a statement's or a function's redirections name."""
    if node.type in ("redirected_statement", "function_definition"):
        for redirect in node.children_by_field_name("redirect"):
            yield from redirect.children_by_field_name("destination")


def _start(mark: Mark) -> int:
    return mark.start
