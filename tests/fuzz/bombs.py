"""Inputs that are small or plain and become large, deep or slow in a reader that keeps no bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator

Made = Callable[[int], str]
"""A text of about so many characters."""


def _repeated(piece: str, before: str = "", after: str = "") -> Made:
    return lambda size: before + piece * (size // len(piece)) + after


def _numbered(line: str, before: str = "", after: str = "") -> Made:
    return lambda size: before + "".join(line.format(n=n) for n in range(size // (len(line) + 2))) + after


def _laughs(size: int) -> str:
    return "a0: &a0 [1,1,1,1,1,1,1,1,1]\n" + "".join(
        f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 3 + size // 50_000)
    )


def _deep_aliases(size: int) -> str:
    lines = (f"a{n}: &a{n} {'[' * 50}*a{n - 1}{']' * 50}\n" for n in range(1, 40 + size // 5_000))
    return "a0: &a0 1\n" + "".join(lines)


YAML: dict[str, Made] = {
    "lists in lists": _repeated("["),
    "mappings in mappings": _repeated("{a: "),
    "keys of keys": _repeated("? "),
    "blocks in blocks": _repeated("- "),
    "a mapping as a key": _repeated("{? "),
    "laughs": _laughs,
    "deep aliases": _deep_aliases,
    "a list of itself": lambda size: "a: &a [*a]\nb: &b {b: *b}\n",
    "merges": lambda size: "a0: &a0 {x: 1}\n" + _numbered("a{n}: &a{n} {{<<: *a0, y{n}: 1}}\n")(size),
    "one long scalar": _repeated("a", "name: "),
    "one long quoted scalar": _repeated("a ", 'name: "', '"'),
    "one long folded scalar": _repeated("a\n  ", "name: >\n  "),
    "one long key": _repeated("k", after=": 1"),
    "a long key that is explicit": _repeated("k", "? ", "\n: 1"),
    "a long integer": _repeated("9", "name: "),
    "a long hexadecimal": _repeated("f", "name: 0x"),
    "a long octal": _repeated("7", "name: 0"),
    "a long binary": _repeated("1", "name: 0b"),
    "a long sexagesimal": _repeated(":1", "name: 1"),
    "a long sexagesimal fraction": _repeated(":1", "name: 1", ".5"),
    "a long fraction": _repeated("1", "name: 1."),
    "long integers": lambda size: f"name: [{','.join(['9' * 4000] * (size // 4000))}]",
    "long blobs": _repeated("QUJD", "name: !!binary "),
    "tag directives": _numbered("%TAG !a{n}! x\n", after="--- a\n"),
    "anchors": _numbered("- &a{n} x\n"),
    "comments": _repeated("# x\n", after="a: ["),
    "documents": _repeated("---\n"),
    "empty lines": _repeated("\n", after="a: @"),
    "blanks": _repeated(" ", "a:", "@"),
    "tabs": _repeated("\t", "a:"),
    "commas": _repeated("a,", "[", "]"),
    "quotes": _repeated("''", "a: '"),
    "carriage returns": _repeated("\r"),
    "escapes": _repeated("\\U0001F600", 'a: "', '"'),
    "keys": _numbered("k{n}: v\n"),
    "entry points": _numbered("  e{n}: {{command: x}}\n", "entry_points:\n"),
    "entry points with outputs": _numbered("  e{n}: {{command: x, outputs: [o]}}\n", "entry_points:\n"),
    "parameters": _numbered(
        "      p{n}: {{type: wibble}}\n", "entry_points:\n  main:\n    command: x\n    parameters:\n"
    ),
    "unknown keys": _numbered("    comand{n}: x\n", "entry_points:\n  main:\n    command: x\n"),
    "choices": _numbered(
        "c{n}, ",
        "entry_points:\n  main:\n    command: x\n    parameters:\n      p: {type: choice, choices: [",
        "]}\n",
    ),
}
"""Texts for whatever is read as YAML."""

_MAIN = "entry_points:\n  main:\n    parameters: {x: string, y: {type: int, default: 1}}\n    command: '"

COMMANDS: dict[str, Made] = {
    "braces that stay open": _repeated("{a"),
    "braces that close once": _repeated("{a", after="}"),
    "braces in braces": _repeated("{", after="x" + "}" * 9),
    "values": _repeated("{x} "),
    "wide values": _repeated("{x:>9999}"),
    "undeclared names": _numbered("{{u{n}}} "),
    "stand-ins": lambda size: "{x} valuehere" + "q" * size,
    "stand-ins, longer each": lambda size: "{x} " + " ".join("valuehere" + "q" * n for n in range(900)),
    "substitutions": _repeated("$("),
    "backticks": _repeated("`"),
    "quotes": _repeated('"'),
    "here-documents": _numbered("cat <<E{n}\n{{x}}\nE{n}\n"),
    "lists": _repeated("a && ", after="{x}"),
    "cases": _repeated("case a in a) ", after="{x}"),
    "backslashes": _repeated("\\", after="{x}"),
    "continued lines": _repeated("\\\n", after="{x}"),
    "words": _repeated("a ", after="{x}"),
    "hashes": _repeated("#", after="{x}"),
    "redirections": _repeated("> a ", after="{x}"),
}
"""Commands with the parameter `x`."""

REQUIREMENTS: dict[str, Made] = {
    "lines": _repeated("\n"),
    "packages": _numbered("p{n}==1\n"),
    "continued lines": _repeated("\\\n"),
    "comments": _repeated("#\n"),
    "a long line": _repeated("a", after="==1"),
    "a long path": _repeated("a/", "./"),
    "blanks": _repeated(" ", "-r", "a.txt"),
    "blanks and a comment": _repeated(" ", "a", "#"),
    "brackets": _repeated("[", "a"),
    "addresses": _repeated("http://a@", "p @ "),
    "variables": _repeated("${A}"),
    "editables": _repeated("-e ."),
    "inclusions": _numbered("-r f{n}.txt\n"),
    "itself": _repeated("-r requirements.txt\n-c sub/../requirements.txt\n"),
    "bad address": lambda size: "-e file://[/x\np @ https://u:p@[::1\nhttps://u@[x/p.whl\n",
}

TOML: dict[str, Made] = {
    "lists in lists": _repeated("[", "a = "),
    "tables in tables": _repeated("{a=", "a = "),
    "dots": lambda size: ".".join(["a"] * (size // 2)) + " = 1",
    "dots in a header": lambda size: "[" + ".".join(["a"] * (size // 2)) + "]",
    "dots in a table": lambda size: "x = {" + ".".join(["'a'"] * (size // 4)) + " = 1}",
    "dotted lines": _numbered("a.b.c.d.e.f.g.h{n} = 1\n"),
    "headers": _numbered("[a{n}]\n"),
    "packages": _numbered('[[packages]]\nname="p{n}"\n', 'lock-version="1.0"\n'),
    "a long integer": _repeated("9", "a = "),
    "a long string": _repeated("a", 'a = "', '"'),
    "a string that stays open": _repeated('\\"', 'a = "'),
    "a long text": _repeated("a\n", 'a = """', '"""'),
    "comments": _repeated("# x.y.z\n"),
    "keys": _numbered("k{n} = 1\n"),
    "marker": _repeated("(", 'lock-version="1.0"\n[[packages]]\nname="p"\nmarker="', '"'),
    "address": lambda size: (
        'lock-version="1.0"\n[[packages]]\nname="p"\nwheels=[{url="http://["},{url="//["}]'
    ),
}

TEXTS: dict[str, Made] = {
    "blanks": _repeated(" ", "a", "b"),
    "blanks round a sign": _repeated(" ", "a", "= b"),
    "blanks in a value": _repeated(" x", "a = "),
    "digits": _repeated("9"),
    "signs": _repeated("="),
    "marks": _repeated("!"),
    "dots": _repeated("."),
    "slashes": _repeated("/"),
    "brackets": _repeated("file://["),
    "letters": _repeated("a"),
    "schemes": _repeated("git+"),
    "parents": _repeated("../"),
}

TABLES: dict[str, tuple[str, Made]] = {
    "wide header, many rows": (
        "csv",
        lambda size: ",".join(f"c{n}" for n in range(1000)) + "\n" + "1\n" * (size // 2),
    ),
    "wide": ("csv", _repeated("a,")),
    "rows": ("csv", _repeated("1,2\n", "a,b\n")),
    "a long cell": ("csv", _repeated("1", "a\n")),
    "lists": ("json", _repeated("[")),
    "mappings": ("json", _repeated('{"a":')),
    "numbers": ("json", _repeated("1,", "[", "1]")),
    "empty lists": ("json", _repeated("[],", "[", "1]")),
    "mappings in a list": ("json", _repeated("{},", "[", "1]")),
    "a long name above many": (
        "json",
        lambda size: (
            '{"' + "k" * (size // 2) + '": {' + ",".join(f'"{n}":1' for n in range(size // 20)) + "}}"
        ),
    ),
    "deep and many": (
        "json",
        lambda size: '{"a":' * 60 + "[" + "1," * (size // 2) + "1]" + "}" * 60,
    ),
    "a long integer": ("json", _repeated("9")),
    "half a character": ("json", lambda size: '{"\\ud800": 1, "a\\u0000b": 2, "\\n": 3}'),
    "lines": ("jsonl", _repeated("1\n")),
    "line separators": ("jsonl", lambda size: '{"a\u2028b": 1}\n'),
}
"""Metrics files with their suffixes."""


FILTERS: dict[str, Made] = {
    "parentheses": _repeated("("),
    "parentheses in pairs": lambda size: "(" * (size // 2) + "metrics.a > 1" + ")" * (size // 2),
    "levels": lambda size: "(a=1 OR (a=1 AND " * (size // 20) + "metrics.a > 1" + "))" * (size // 20),
    "comparisons": _repeated("metrics.a > 1 AND ", after="metrics.a > 1"),
    "alternatives": _repeated("tags.a LIKE 'Abc' OR ", after="metrics.a > 1"),
    "members": _repeated("'',", "run_id IN (", "'')"),
    "quotes": _repeated("''", "tags.a = '", "'"),
    "an open quote": _repeated("a", "tags.a = '"),
    "backticks": _repeated("`"),
    "a long key": _repeated("a", "tags.", " = 'x'"),
    "a long word": _repeated("a_"),
    "a long number": _repeated("1", "metrics.a > "),
    "signs": _repeated("<"),
    "orders": _repeated("\0metrics.a DESC"),
    "wild characters": _repeated("%a", "tags.a LIKE '", "'"),
}


def inputs(size: int) -> Iterator[tuple[str, str, bytes]]:
    """Every bomb as target, name and input. `size` is about that of most, in characters."""
    for name, made in YAML.items():
        content = _encoded(made(size))
        yield from ((target, name, content) for target in ("mlproject", "python_env", "conda"))
        yield "metrics", name, b"m.yaml\n" + content
    for name, made in COMMANDS.items():
        command = made(min(size, 1_000_000))
        yield "mlproject", f"command: {name}", _encoded(_MAIN + command.replace("'", "''") + "'\n")
        yield "values", name, _encoded(command + "\0x=two words\0y=3")
        yield "values", f"{name}, plain", _encoded(command + "\0x=" + "v" * 1000)
        yield "values", f"{name}, as a value", _encoded("echo {x}\0x=" + command)
        yield "arrival", name, b"\x02" + _encoded(command[:100_000])
    for name, made in REQUIREMENTS.items():
        yield "requirements", name, _encoded(made(size))
        yield "python_env", name, b"dependencies: [-r a.txt]\n%%% a.txt\n" + _encoded(made(size))
    for name, made in TOML.items():
        yield "lock", name, _encoded(made(size))
        yield "uv_project", name, _encoded(made(size))
    for name, made in TEXTS.items():
        for target in ("condition", "timeout", "uri"):
            yield target, name, _encoded(made(min(size, 130_000)))
    for name, made in (*TEXTS.items(), *FILTERS.items()):
        yield "filter", name, b"\0" + _encoded(made(size))
    for name, (suffix, made) in TABLES.items():
        yield "metrics", f"{suffix}: {name}", f"m.{suffix}\n".encode() + _encoded(made(size))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
