"""Where in a bash script a value may stand, by bash's grammar: a place not known to be safe is not."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from tree_sitter import Node

from mlproj.planning import programs
from mlproj.planning.carrying import carried, later_stages
from mlproj.planning.interpreters import interpreter_of
from mlproj.planning.places import HEREDOC, TOO_LARGE, Mark, Place, Quotes
from mlproj.planning.quoting import quotes_at
from mlproj.planning.script import Script, declares_type, tests_name
from mlproj.planning.syntax import holds, opening, parse, size, text, upward, word_nodes

_LONGEST = 65_536
_DEEPEST = 200
_MOST_WORK = 250_000
"""A script of more bytes, a tree of more levels, and more nodes times values are not analysed: what makes
sure takes about a second up to here, and no command that a person wrote comes near."""

_LEAVES = frozenset(("word", "string_content", "raw_string"))
_ALLOWED = _LEAVES | frozenset(
    (
        *("program", "list", "pipeline", "command", "command_name", "negated_command"),
        *("string", "concatenation", "command_substitution"),
        *("subshell", "compound_statement", "if_statement", "elif_clause", "else_clause", "do_group"),
        *("while_statement", "for_statement", "case_statement", "case_item", "function_definition"),
        *("redirected_statement", "file_redirect", "herestring_redirect"),
        *("variable_assignment", "variable_assignments", "declaration_command"),
        *("test_command", "unary_expression", "binary_expression", "negation_expression"),
    )
)
"""The only nodes that may stand between a value and the whole script."""

_REASONS = {
    "heredoc_body": HEREDOC,
    "heredoc_redirect": HEREDOC,
    "comment": "a comment",
    "expansion": "`${…}`",
    "arithmetic_expansion": "arithmetic",
    "ansi_c_string": "`$'…'`",
    "process_substitution": "a process substitution",
    "subscript": "an array's index",
    "array": "an array",
    "simple_expansion": "a variable's name",
    "variable_name": "a variable's name",
}
_UNCERTAIN = "a part of the command that cannot be parsed for certain"

_SHELL_VARIABLES = re.compile(r"PS\d|PROMPT_COMMAND|BASH\w*|ENV|IFS|SHELLOPTS|CDPATH|HIST\w*|ZDOTDIR")


def places(script: str, marks: Sequence[Mark]) -> tuple[Place, ...]:
    """The place of each mark in `script`; `marks` are in the script's order."""
    content = script.encode("utf-8", "surrogateescape")
    root = parse(content) if len(content) <= _LONGEST else None
    nodes = None if root is None else size(root, _DEEPEST)
    if root is None or nodes is None or nodes * len(marks) > _MOST_WORK:
        return tuple(Place(quotes=Quotes.BARE, unsafe=TOO_LARGE) for _ in marks)
    second = quotes_at(content.decode("latin-1"), frozenset(mark.start for mark in marks))
    whole = Script.of(root, tuple(mark for mark in marks if not mark.known))
    return tuple(_place(whole, mark, second.get(mark.start)) for mark in marks)


def _place(script: Script, mark: Mark, second: Quotes | None) -> Place:
    leaf = script.root.descendant_for_byte_range(mark.start, mark.start + mark.length)
    path = tuple(upward(leaf))
    quotes = _quotes(path)
    reason = _foreign(path) or _nested(script, path) or carried(script, path)
    if reason is None and (script.root.has_error or second is not quotes):
        reason = _UNCERTAIN
    return Place(quotes=quotes, unsafe=reason, program=_program(script, path))


def _quotes(path: Sequence[Node]) -> Quotes:
    for node in path:
        if node.type in ("string", "translated_string"):
            return Quotes.DOUBLE
        if node.type == "raw_string":
            return Quotes.SINGLE
        if node.type not in ("string_content", "word", "concatenation"):
            break
    return Quotes.BARE


def _foreign(path: Sequence[Node]) -> str | None:
    """Why a node on the way from the value to the whole script is not one to put a value in."""
    if not path or path[0].type not in _LEAVES:
        return _REASONS.get(path[0].type, _UNCERTAIN) if path else _UNCERTAIN
    for child, node in zip((None, *path), path, strict=False):
        if node.type not in _ALLOWED:
            return _REASONS.get(node.type, _UNCERTAIN)
        reason = _foreign_part(node, child)
        if reason is not None:
            return reason
    return None


def _foreign_part(node: Node, child: Node | None) -> str | None:
    match node.type:
        case "command_substitution" if opening(node) != "$(":
            return "backticks"
        case "command_name" if child is not None and holds(child, "command_substitution"):
            return "a command's name that the shell computes"
        case "case_item" if child in node.children_by_field_name("value"):
            return "a pattern"
        case "compound_statement" if opening(node) == "((":
            return "arithmetic"
        case "file_redirect" if any(part.type in (">&", "<&") for part in node.children):
            return "`>&` or `<&`, after which the shell expands twice"
        case "test_command" if opening(node) != "[":
            return f"`{opening(node)}`"
        case "test_command" if tests_name(node):
            return "a test of a variable's name"
        case "variable_assignment":
            return _foreign_assignment(node)
        case "declaration_command":
            return _foreign_declaration(node, child)
        case _:
            return None


def _foreign_assignment(node: Node) -> str | None:
    name = node.child_by_field_name("name")
    if name is None or name.type != "variable_name":
        return "an array's index"
    return "a variable that the shell evaluates" if _SHELL_VARIABLES.fullmatch(text(name)) else None


def _foreign_declaration(node: Node, child: Node | None) -> str | None:
    if child is None or child.type != "variable_assignment" or declares_type(node):
        return f"`{opening(node)}`"
    return None


def _nested(script: Script, path: Sequence[Node]) -> str | None:
    """Why a command round the value hands it on to a shell, or a later stage of its pipe does."""
    for child, node in zip((None, *path), path, strict=False):
        if node.type == "command":
            reason = _refused_by(script, node, child)
            if reason is not None:
                return reason
        if node.type == "pipeline" and child is not None and _later_stage_executes(script, node, child):
            return "what is piped into a shell"
    return None


def _program(script: Script, path: Sequence[Node]) -> str | None:
    """The interpreter of another language, where the value stands in the text of its program."""
    for child, node in zip((None, *path), path, strict=False):
        if node.type == "command":
            own = _position(node, child)
            return None if own is None else interpreter_of(script.words(node), own)
    return None


def _refused_by(script: Script, command: Node, child: Node | None) -> str | None:
    words = script.words(command)
    if not words:
        return None
    own = _position(command, child)
    if (
        own is not None
        and programs.is_dynamic(words[own])
        and os.path.basename(words[0]) in programs.WRAPPERS
    ):
        return "a command that the shell computes"
    if words[0] in script.functions and script.executes:
        return "a function's argument in a command that evaluates text"
    if programs.is_dynamic(words[0]) and own != 0 and programs.mentions_evaluation(script.text):
        return "a command that the shell computes"
    return programs.refuses(words, own)


def _position(command: Node, child: Node | None) -> int | None:
    """Which word of the command `child` is; None where it is none, but a redirection, say."""
    nodes = word_nodes(command)
    return next((index for index, node in enumerate(nodes) if child is not None and node == child), None)


def _later_stage_executes(script: Script, pipeline: Node, child: Node) -> bool:
    commands = [script.words(node) for node in later_stages(pipeline, child) if node.type == "command"]
    return any(
        programs.reads_scripts(words) or programs.splits_input(words) or words[0] in script.functions
        for words in commands
        if words
    )
