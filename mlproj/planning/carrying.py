"""Where a script carries a value on to: into variables, files and streams that it may execute later."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

from tree_sitter import Node

from mlproj.planning import programs
from mlproj.planning.script import Script
from mlproj.planning.syntax import destinations, unquoted, upward, walk

_KEEPING = frozenset(
    (
        *("variable_assignment", "for_statement", "pipeline", "redirected_statement"),
        *("function_definition", "herestring_redirect"),
    )
)
"""Nodes through which a value gets to where other parts of the script can read it."""

_LAST_COMMAND = re.compile(r"\$\{?_\b|BASH_(?:COMMAND|ARGV|EXECUTION_STRING)|\$\{?[!@*]")


def carried(script: Script, path: Sequence[Node]) -> str | None:
    """Why a value, the nodes round which are `path`, may get into something that the script executes
    elsewhere, or None where it cannot."""
    if script.executes and (_is_kept(path) or _LAST_COMMAND.search(script.text)):
        return "a value that the command may evaluate later"
    written = _written(script, path)
    if {os.path.basename(name) for name in written} & script.names:
        return "a file that the command executes"
    if script.reads_scripts and (script.indirect or any(_is_mentioned(script, name) for name in written)):
        return "output that the command may execute later"
    return None


def later_stages(pipeline: Node, child: Node) -> Iterator[Node]:
    """The nodes of the pipeline's stages after `child`."""
    for stage in pipeline.named_children:
        if stage.start_byte >= child.end_byte:
            yield from walk(stage)


def _is_kept(path: Sequence[Node]) -> bool:
    return any(node.type in _KEEPING for node in path)


def _written(script: Script, path: Sequence[Node]) -> frozenset[str]:
    """The names of files that output of the value's command may be written to."""
    found: set[str] = set()
    for child, node in zip((None, *path), path, strict=False):
        found |= _targets(script, node)
        if node.type == "function_definition":
            # Where it is called, its output may go anywhere.
            for inner in walk(script.root):
                found |= _targets(script, inner)
                found |= _arguments(script, inner) if _is_piped(inner) else set()
        if node.type == "pipeline" and child is not None:
            for inner in later_stages(node, child):
                found |= _targets(script, inner) | _arguments(script, inner)
        if child is not None and child.type == "herestring_redirect":
            for inner in walk(node):
                found |= _arguments(script, inner)
        if node.type == "command" and (words := script.words(node)) and programs.rewrites(words):
            found |= set(words[1:])
    return frozenset(name for name in found if not name.startswith(("/dev/", "-")) and not name.isdigit())


def _targets(script: Script, node: Node) -> set[str]:
    return {unquoted(part, script.marks) for part in destinations(node)}


def _arguments(script: Script, node: Node) -> set[str]:
    return set(script.words(node)[1:]) if node.type == "command" else set()


def _is_piped(node: Node) -> bool:
    return any(above.type == "pipeline" for above in upward(node))


def _is_mentioned(script: Script, name: str) -> bool:
    """Whether a file's name is more than once in the script, or not known at all."""
    last = re.split(r"[=/]", name)[-1]
    return not last or programs.is_dynamic(name) or script.text.count(last) > 1
