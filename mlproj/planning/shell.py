"""Where in a bash script a value may stand, by bash's grammar: a place not known to be safe is not.

Loaded only where a value holds shell characters, and by `check`: the grammar takes time to load.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from mlproj.planning import programs
from mlproj.planning.quoting import HEREDOC, Place, Quotes, quotes_at

_LANGUAGE = Language(tree_sitter_bash.language())

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

_KEEPING = frozenset(
    (
        *("variable_assignment", "for_statement", "pipeline", "redirected_statement"),
        *("function_definition", "herestring_redirect"),
    )
)
"""Nodes through which a value gets to where other parts of the script can read it."""

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
_EVALUATED_LATER = re.compile(r"PS\d|PROMPT_COMMAND|BASH_ENV|ENV")
_TAME_EXPANSION = re.compile(r"\$\{#?\w+(?:(?::?[-+=?]|##?|%%?|//?|\^|,)[^{}\[]*)?\}", re.DOTALL)
_LAST_COMMAND = re.compile(r"\$\{?_\b|BASH_(?:COMMAND|ARGV|EXECUTION_STRING)|\$\{?[!@*]")
_TYPED = re.compile(r"[-+]\w*[inaA]\w*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A word that stands for a value in a script: its offset and length in bytes of UTF-8.

    `known` says that it is the value itself, and not a stand-in.
    """

    start: int
    length: int
    known: bool = False


def places(script: str, marks: Sequence[Mark]) -> tuple[Place, ...]:
    """The place of each mark in `script`, in the order of `marks`."""
    content = script.encode("utf-8", "surrogateescape")
    root = Parser(_LANGUAGE).parse(content).root_node
    second = quotes_at(content.decode("latin-1"), frozenset(mark.start for mark in marks))
    whole = _Script.of(root, tuple(mark for mark in marks if not mark.known))
    return tuple(_place(whole, mark, second.get(mark.start)) for mark in marks)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Script:
    """What matters about the script as a whole: which of its parts execute what it handles."""

    root: Node
    marks: tuple[Mark, ...]
    executes: bool
    """Something evaluates a variable, an argument or its input."""
    reads_scripts: bool
    """Something may execute a file or a stream that the script writes."""
    indirect: bool
    """Output goes where the tree does not show it."""
    functions: frozenset[str]
    names: frozenset[str]

    @classmethod
    def of(cls, root: Node, marks: tuple[Mark, ...]) -> _Script:
        nodes = tuple(_walk(root))
        commands = [_words(node, marks) for node in nodes if node.type == "command"]
        commands = [words for words in commands if words]
        evaluates = any(_evaluates(node) for node in nodes)
        return cls(
            root=root,
            marks=marks,
            executes=evaluates or any(programs.executes(words) for words in commands),
            reads_scripts=any(programs.reads_scripts(words) for words in commands),
            indirect=any(_indirect(node) for node in nodes),
            functions=frozenset(
                _text(name)
                for node in nodes
                if node.type == "function_definition" and (name := node.child_by_field_name("name"))
            ),
            names=frozenset(os.path.basename(words[0]) for words in commands),
        )


def _place(script: _Script, mark: Mark, second: Quotes | None) -> Place:
    leaf = script.root.descendant_for_byte_range(mark.start, mark.start + mark.length)
    path = tuple(_upward(leaf))
    quotes = _quotes(path)
    reason = _foreign(path) or _nested(script, path) or _carried(script, path)
    if reason is None and (script.root.has_error or second is not quotes):
        reason = _UNCERTAIN
    return Place(quotes=quotes, unsafe=reason)


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
        case "command_substitution" if _first(node) != "$(":
            return "backticks"
        case "command_name" if child is not None and _holds(child, "command_substitution"):
            return "a command's name that the shell computes"
        case "case_item" if child in node.children_by_field_name("value"):
            return "a pattern"
        case "compound_statement" if _first(node) == "((":
            return "arithmetic"
        case "file_redirect" if any(part.type in (">&", "<&") for part in node.children):
            return "`>&` or `<&`, after which the shell expands twice"
        case "test_command" if _first(node) != "[":
            return f"`{_first(node)}`"
        case "test_command" if _tests_name(node):
            return "a test of a variable's name"
        case "variable_assignment":
            return _foreign_assignment(node)
        case "declaration_command":
            return _foreign_declaration(node, child)
        case _:
            return None


def _tests_name(test: Node) -> bool:
    return re.search(r"\s-\w*[vR]\b", _text(test)) is not None


def _foreign_assignment(node: Node) -> str | None:
    name = node.child_by_field_name("name")
    if name is None or name.type != "variable_name":
        return "an array's index"
    return "a variable that the shell evaluates" if _SHELL_VARIABLES.fullmatch(_text(name)) else None


def _foreign_declaration(node: Node, child: Node | None) -> str | None:
    if child is None or child.type != "variable_assignment" or _declares_type(node):
        return f"`{_first(node)}`"
    return None


def _nested(script: _Script, path: Sequence[Node]) -> str | None:
    """Why a command round the value hands it on to a shell, or a later stage of its pipe does."""
    for child, node in zip((None, *path), path, strict=False):
        if node.type == "command":
            reason = _refused_by(script, node, child)
            if reason is not None:
                return reason
        if node.type == "pipeline" and child is not None and _later_stage_executes(script, node, child):
            return "what is piped into a shell"
    return None


def _refused_by(script: _Script, command: Node, child: Node | None) -> str | None:
    nodes = _word_nodes(command)
    words = _words(command, script.marks)
    if not words:
        return None
    own = next((index for index, node in enumerate(nodes) if child is not None and node == child), None)
    if (
        own is not None
        and programs.is_dynamic(words[own])
        and os.path.basename(words[0]) in programs.WRAPPERS
    ):
        return "a command that the shell computes"
    if words[0] in script.functions and script.executes:
        return "a function's argument in a command that evaluates text"
    if programs.is_dynamic(words[0]) and own != 0 and programs.mentions_evaluation(_text(script.root)):
        return "a command that the shell computes"
    return programs.refuses(words, own)


def _later_stage_executes(script: _Script, pipeline: Node, child: Node) -> bool:
    commands = [_words(node, script.marks) for node in _later(pipeline, child) if node.type == "command"]
    return any(
        programs.reads_scripts(words) or programs.splits_input(words) or words[0] in script.functions
        for words in commands
        if words
    )


def _later(pipeline: Node, child: Node) -> Iterator[Node]:
    for stage in pipeline.named_children:
        if stage.start_byte >= child.end_byte:
            yield from _walk(stage)


def _carried(script: _Script, path: Sequence[Node]) -> str | None:
    """Why the value may get into something that the script executes elsewhere."""
    types = {node.type for node in path}
    if script.executes and (types & _KEEPING or _LAST_COMMAND.search(_text(script.root))):
        return "a value that the command may evaluate later"
    written = _written(script, path)
    if {os.path.basename(name) for name in written} & script.names:
        return "a file that the command executes"
    if script.reads_scripts and (script.indirect or any(_is_mentioned(script, name) for name in written)):
        return "output that the command may execute later"
    return None


def _written(script: _Script, path: Sequence[Node]) -> frozenset[str]:
    """The names of files that output of the value's command may be written to."""
    found: set[str] = set()
    for child, node in zip((None, *path), path, strict=False):
        found |= {_unquoted(part, script.marks) for part in _destinations(node)}
        if node.type == "function_definition":
            # Where it is called, its output may go anywhere.
            for inner in _walk(script.root):
                found |= {_unquoted(part, script.marks) for part in _destinations(inner)}
                found |= _arguments(script, inner) if _is_piped(inner) else set()
        if node.type == "pipeline" and child is not None:
            for inner in _later(node, child):
                found |= {_unquoted(part, script.marks) for part in _destinations(inner)}
                found |= _arguments(script, inner)
        if child is not None and child.type == "herestring_redirect":
            for inner in _walk(node):
                found |= _arguments(script, inner)
        if node.type == "command" and (words := _words(node, script.marks)) and programs.rewrites(words):
            found |= set(words[1:])
    return frozenset(name for name in found if not name.startswith(("/dev/", "-")) and not name.isdigit())


def _is_piped(node: Node) -> bool:
    return any(above.type == "pipeline" for above in _upward(node))


def _arguments(script: _Script, node: Node) -> set[str]:
    return set(_words(node, script.marks)[1:]) if node.type == "command" else set()


def _is_mentioned(script: _Script, name: str) -> bool:
    """Whether a file's name is more than once in the script, or not known at all."""
    last = re.split(r"[=/]", name)[-1]
    return not last or programs.is_dynamic(name) or _text(script.root).count(last) > 1


def _destinations(node: Node) -> Iterator[Node]:
    if node.type in ("redirected_statement", "function_definition"):
        for redirect in node.children_by_field_name("redirect"):
            yield from redirect.children_by_field_name("destination")


def _evaluates(node: Node) -> bool:
    if node.type in ("arithmetic_expansion", "c_style_for_statement", "subscript"):
        return True
    if node.type == "test_command":
        return _first(node) != "[" or _tests_name(node)
    if node.type == "compound_statement":
        return _first(node) == "(("
    if node.type == "array":
        return any(_text(part).startswith("[") for part in node.named_children)
    if node.type == "expansion" and not _TAME_EXPANSION.fullmatch(_text(node)):
        return True
    if node.type == "declaration_command":
        return _declares_type(node) or any(
            part.type != "variable_assignment" and programs.evaluates_name(_text(part))
            for part in node.named_children
        )
    return node.type in ("variable_name", "word") and _is_evaluated_later(node)


def _is_evaluated_later(name: Node) -> bool:
    """Whether it names a variable that the shell evaluates, and something computed gets into that."""
    if name.parent is None or not _EVALUATED_LATER.fullmatch(_text(name)):
        return False
    if name.parent.type == "variable_assignment":
        value = name.parent.child_by_field_name("value")
        return value is not None and programs.is_dynamic(_text(value))
    return name.parent.type != "simple_expansion"


def _declares_type(node: Node) -> bool:
    return any(_TYPED.fullmatch(_text(part)) for part in node.named_children)


def _indirect(node: Node) -> bool:
    if node.type == "process_substitution":
        return True
    return node.type == "redirected_statement" and _text(node).lstrip().startswith("exec")


def _word_nodes(command: Node) -> list[Node]:
    name = command.child_by_field_name("name")
    return [*([name] if name else []), *command.children_by_field_name("argument")]


def _words(command: Node, marks: Sequence[Mark]) -> list[str]:
    """The command's words without quotes, and without the marks: a value may be empty, too."""
    return [_unquoted(node, marks) for node in _word_nodes(command)]


def _unquoted(node: Node, marks: Sequence[Mark]) -> str:
    content = node.text or b""
    for mark in sorted(marks, key=lambda mark: mark.start, reverse=True):
        start = mark.start - node.start_byte
        if start >= 0 and start + mark.length <= len(content):
            content = content[:start] + content[start + mark.length :]
    return re.sub(r"\\\n|['\"\\]", "", content.decode("utf-8", "replace"))


def _holds(node: Node, kind: str) -> bool:
    return any(inner.type == kind for inner in _walk(node))


def _first(node: Node) -> str:
    return node.children[0].type if node.children else ""


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


def _upward(node: Node | None) -> Iterator[Node]:
    while node is not None:
        yield node
        node = node.parent


def _walk(node: Node) -> Iterator[Node]:
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        pending += current.children
