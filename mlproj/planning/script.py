"""A bash script as a whole: which of its parts execute what variables, files and streams hold."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tree_sitter import Node

from mlproj.planning import programs
from mlproj.planning.places import Mark
from mlproj.planning.syntax import opening, text, walk, words

_EVALUATED_LATER = re.compile(r"PS\d|PROMPT_COMMAND|BASH_ENV|ENV")
_TAME_EXPANSION = re.compile(r"\$\{#?\w+(?:(?::?[-+=?]|##?|%%?|//?|\^|,)[^{}\[]*)?\}", re.DOTALL)
_TYPED = re.compile(r"[-+]\w*[inaA]\w*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What has to be known of the whole script to judge one place of it.

    `marks` are the values' stand-ins, in order; `commands` the words of each command, by its node's id.
    """

    root: Node
    text: str
    marks: tuple[Mark, ...]
    commands: Mapping[int, Sequence[str]]
    executes: bool
    """Something evaluates a variable, an argument or its input."""
    reads_scripts: bool
    """Something may execute a file or a stream that the script writes."""
    indirect: bool
    """Output goes where the tree does not show it."""
    functions: frozenset[str]
    names: frozenset[str]
    """The programs that it calls, without their folders."""

    @classmethod
    def of(cls, root: Node, marks: tuple[Mark, ...]) -> Script:
        nodes = tuple(walk(root))
        commands = {node.id: words(node, marks) for node in nodes if node.type == "command"}
        called = [command for command in commands.values() if command]
        evaluates = any(_evaluates(node) for node in nodes)
        return cls(
            root=root,
            text=text(root),
            marks=marks,
            commands=commands,
            executes=evaluates or any(programs.executes(command) for command in called),
            reads_scripts=any(programs.reads_scripts(command) for command in called),
            indirect=any(_indirect(node) for node in nodes),
            functions=frozenset(
                text(name)
                for node in nodes
                if node.type == "function_definition" and (name := node.child_by_field_name("name"))
            ),
            names=frozenset(os.path.basename(command[0]) for command in called),
        )

    def words(self, command: Node) -> Sequence[str]:
        """The words of a command of this script, without quotes and stand-ins."""
        return self.commands[command.id]


def tests_name(test: Node) -> bool:
    """Whether `[ … ]` asks after a variable by its name, and so evaluates the name's index."""
    return re.search(r"\s-\w*[vR]\b", text(test)) is not None


def declares_type(declaration: Node) -> bool:
    """Whether `declare` gives its variables a type under which the shell evaluates what they are set to."""
    return any(_TYPED.fullmatch(text(part)) for part in declaration.named_children)


def _evaluates(node: Node) -> bool:
    match node.type:
        case "arithmetic_expansion" | "c_style_for_statement" | "subscript":
            return True
        case "test_command":
            return opening(node) != "[" or tests_name(node)
        case "compound_statement":
            return opening(node) == "(("
        case "array":
            return any(text(part).startswith("[") for part in node.named_children)
        case "expansion":
            return not _TAME_EXPANSION.fullmatch(text(node))
        case "declaration_command":
            return declares_type(node) or any(
                part.type != "variable_assignment" and programs.evaluates_name(text(part))
                for part in node.named_children
            )
        case "variable_name" | "word":
            return _is_evaluated_later(node)
        case _:
            return False


def _is_evaluated_later(name: Node) -> bool:
    """Whether it names a variable that the shell evaluates, and something computed gets into that."""
    if not _EVALUATED_LATER.fullmatch(text(name)) or name.parent is None:
        return False
    if name.parent.type == "variable_assignment":
        value = name.parent.child_by_field_name("value")
        return value is not None and programs.is_dynamic(text(value))
    return name.parent.type != "simple_expansion"


def _indirect(node: Node) -> bool:
    if node.type == "process_substitution":
        return True
    return node.type == "redirected_statement" and text(node).lstrip().startswith("exec")
