"""Strategies for the inputs of each target: grammars, real files with something done to them, and noise.

In one file, since each grammar is made of those above it.
"""

from __future__ import annotations

import codecs
from pathlib import Path

from hypothesis import strategies as st

from tests.fuzz.targets import SEPARATOR, TARGETS
from tests.planning.hostile import NASTY, SAFE, UNSAFE
from tests.spec.test_documents import NAMED

CORPUS = Path(__file__).with_name("corpus")

Inputs = st.SearchStrategy[bytes]

ODD_SCALARS = (
    *(
        "",
        "~",
        "null",
        "true",
        "No",
        "y",
        "0o777",
        "0777",
        "0x1F",
        "1:30",
        "190:20:30",
        "1_000",
        "1e3",
        "1e999",
    ),
    *(".inf", "-.INF", ".nan", "1.", ".5", "3.10", "2020-99-99", "2001-12-14t21:59:43.10-05:00", "=", "<<"),
    *(
        "!!binary QUJD",
        "!!binary =",
        "!!timestamp x",
        "!!int ''",
        "!!float x",
        "!!bool x",
        "!!null x",
        "!!str 1",
    ),
    *("!!set {a, b}", "!!omap [a: 1]", "!!pairs [a: 1]", "!!python/object/apply:os.getcwd []", "!x y", "! 1"),
    *(
        "!!python/name:os.system ''",
        "!<tag:yaml.org,2002:int> 9",
        "&a",
        "*a",
        "&a *a",
        "&a [*a]",
        "*b",
        "%TAG",
    ),
    *(
        "'it''s'",
        '"\\0"',
        '"\\ud800"',
        '"\\x07"',
        '"\\u2028"',
        "'",
        '"',
        "|",
        ">-",
        "|9",
        "|+1",
        ">\n  a\n b",
    ),
    *(
        "@",
        "`",
        "\t",
        "\x00",
        "\x07",
        "\x85",
        "\u2028",
        "\ufeff",
        "\ufffe",
        "😀",
        "- ",
        "? ",
        ": ",
        "# ",
        "---",
    ),
    *(
        "...",
        "{",
        "}",
        "[",
        "]",
        ",",
        "[]",
        "{}",
        "[[]]",
        "{a: {b: c}}",
        "? {a: b} : c",
        "{[a]: b}",
        "!",
        "&",
    ),
)
ODD_LINES = (
    *("-r a.txt", "-c a.txt", "-r sub/b.txt", "-r ../a.txt", "--requirement=a.txt", "-ra.txt", "-r", "-r ''"),
    *(
        "-r https://h/x.txt",
        "-r ${A}/x",
        "-r \0",
        "-r /dev/zero",
        "-r .",
        "-e .",
        "-e file://[",
        "-e ~nobody/x",
    ),
    *(
        "--hash=sha256:0",
        "--index-url https://u:p@h/",
        "--no-binary :all:",
        "name=1.2",
        "a==1 ; x",
        "a[b]>=1",
    ),
    *(
        "p @ file:///tmp/x",
        "p @ https://u:p@[::1/x",
        "git+ssh://git@h/x@v#egg=y",
        "./" + "a" * 300,
        "a\\",
        "\\",
    ),
    *(
        "# c",
        "a # c",
        "a#c",
        "\ufeffa",
        "a\x0bb",
        "a\x85b",
        "a\rb",
        "\t-r a.txt",
        "./x[y]",
        "x.whl",
        "..",
        "/",
    ),
)
ODD_TOML = (
    *(
        'lock-version = "1.0"',
        "[[packages]]",
        'name = "a"',
        'version = "1"',
        "[project]",
        "[a.b]",
        "a.b.c = 1",
    ),
    *(
        'requires-python = ">=3.9"',
        "requires-python = 3",
        "a = [",
        "a = {",
        "]",
        "}",
        '"""',
        "'''",
        "a = 1979-99-99",
    ),
    *(
        'wheels = [{url = "https://[", hashes = {sha256 = "0"}}]',
        "marker = \"python_version < 'x'\"",
        "a = 0x",
    ),
    *(
        'vcs = {type = "git"}',
        "[[package]]",
        "name = 1",
        "a = nan",
        "a = 1e999",
        "\x00",
        "\\",
        'a = "\\ud800"',
    ),
)
ODD_TEXTS = (
    *(
        "metrics.",
        "params.`a b`",
        "tags",
        " ",
        "<",
        "<=",
        "==",
        "!=",
        "!",
        "~",
        "'",
        '"',
        "`",
        "1",
        ".",
        "\0",
        "\n",
    ),
    *(
        "30",
        "s",
        "m",
        "h",
        "d",
        "1e9",
        "-",
        "٣",
        "inf",
        "\udcff",
        "file://",
        "git@h:",
        "#",
        "..",
        "/",
        "a",
        ":",
        "[",
    ),
    *(
        "https://",
        ".zip",
        "user:p@",
        "%2e",
        "//",
        "\\",
        "localhost",
        "C:",
        "~",
        "a" * 300,
        "\u202e",
        "=",
        "\x1b[2J",
    ),
)
ODD_METRICS = (
    *(
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        '"a"',
        "1",
        "-1",
        "1e999",
        "NaN",
        "-Infinity",
        "null",
        "true",
        "9" * 400,
        "\n",
    ),
    *(
        "a,b\n",
        "1,2\n",
        "step",
        "epoch",
        "\t",
        '"',
        '""',
        "\r\n",
        "\x00",
        "a: 1\n",
        "- 1\n",
        "1e-3",
        "1_0",
        "0x1F",
    ),
    *(
        "\ufeff",
        "\u2028",
        "\ud800",
        '"\\ud800"',
        "&a",
        "*a",
        "<<: ",
        "!!set",
        "!!timestamp x",
        "!!int ''",
        "-" * 9,
    ),
)
ODD_FILTERS = (
    *("metrics.a", "params.`b c`", 'tags."d"', "run_id", "`run name`", "datasets.name", "metadata.e"),
    *("=", "!=", "<=", "<>", "=~", " LIKE ", " ILIKE ", " IN ", " NOT ", " IS ", " NULL", " AND ", " OR "),
    *("(", ")", ",", "'x'", '"y"', "''", "'", '"', "`", ".", "1", "-2.5e3", "1e999", "\0", " DESC"),
    *("\n", ";", "--", "\\", "\u2028", "\ud800", "%_", "٣"),
)
SUFFIXES = (b"m.json", b"m.jsonl", b"m.yaml", b"m.yml", b"m.csv", b"m.tsv", b"m.txt", b"m")

_ODD: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("mlproject", "python_env", "conda", "mlmodel"), (*ODD_SCALARS, *ODD_LINES, *NAMED, ": ", "\n", "  ")
    ),
    "requirements": (*ODD_LINES, "\n", " "),
    **dict.fromkeys(("lock", "uv_project"), (*ODD_TOML, "\n")),
    **dict.fromkeys(("timeout", "condition", "uri"), ODD_TEXTS),
    "metrics": ODD_METRICS,
    "filter": ODD_FILTERS,
    "values": (
        *NASTY,
        *SAFE,
        *UNSAFE,
        "{x}",
        "{",
        "}",
        "{y!r:>8}",
        "{x.y}",
        "{x[0]}",
        "=",
        "x=",
        "y=1",
        "\0",
    ),
    "arrival": (*NASTY, "'", '"', "\\", "$", "`", "\n", "!", "\udc80", "\u202e"),
}


def seeds(target: str) -> tuple[bytes, ...]:
    """The target's files in the corpus: whole inputs, real ones and ones that once broke something."""
    return tuple(path.read_bytes() for path in sorted((CORPUS / target).glob("*")))


def _joined(words: tuple[str, ...]) -> Inputs:
    pieces = st.one_of(st.sampled_from(words), st.text(max_size=6))
    return st.lists(pieces, max_size=30).map(lambda found: _bytes("".join(found)))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@st.composite
def _changed(draw: st.DrawFn, seed: Inputs, words: tuple[str, ...]) -> bytes:
    """A real input with something put in, cut out, doubled, or written down in another way."""
    data = draw(seed)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 40)))
        match draw(st.sampled_from(("put", "replace", "cut", "repeat", "ends", "tabs", "encode", "noise"))):
            case "put":
                data = data[:start] + _bytes(draw(st.sampled_from(words))) + data[start:]
            case "replace":
                data = data[:start] + _bytes(draw(st.sampled_from(words))) + data[end:]
            case "cut":
                data = data[:start] + data[end:]
            case "repeat":
                times = draw(st.sampled_from((2, 3, 70, 1100)))
                data = data[:start] + data[start:end] * times + data[end:]
            case "ends":
                data = data.replace(b"\n", draw(st.sampled_from((b"\r\n", b"\r", b"\xc2\x85", b"\n\n"))))
            case "tabs":
                data = data.replace(b"  ", b"\t", draw(st.integers(1, 5)))
            case "encode":
                data = _recoded(
                    data, draw(st.sampled_from(("utf-16", "utf-32", "utf-16-be", "latin-1", "bom")))
                )
            case _:
                data = data[:start] + draw(st.binary(max_size=8)) + data[end:]
    return data


def _recoded(data: bytes, encoding: str) -> bytes:
    if encoding == "bom":
        return codecs.BOM_UTF8 + data
    return data.decode("utf-8", "replace").encode(encoding, "replace")


@st.composite
def _yaml(draw: st.DrawFn, depth: int = 0) -> str:
    """A YAML document as people and their enemies write it."""
    indent = "  " * depth
    kind = draw(
        st.sampled_from(("mapping", "mapping", "list", "scalar", "flow") if depth < 4 else ("scalar",))
    )
    scalar = st.one_of(st.sampled_from((*ODD_SCALARS, *ODD_LINES)), st.text(max_size=8))
    if kind == "scalar":
        return draw(scalar)
    if kind == "flow":
        return (
            "{" + ", ".join(f"{draw(scalar)}: {draw(scalar)}" for _ in range(draw(st.integers(0, 3)))) + "}"
        )
    anchor = draw(st.sampled_from(("", "", "", "&a ", "&b ", "!!map ", "!x ")))
    items = []
    for _ in range(draw(st.integers(0, 5))):
        inner = draw(_yaml(depth + 1))
        key = draw(st.one_of(st.sampled_from((*NAMED, "main", "entry_points", "<<", "pip")), scalar))
        items.append(f"{indent}- {inner}" if kind == "list" else f"{indent}{key}: {inner}")
    return anchor + "".join("\n" + item for item in items)


def _several(first: Inputs) -> Inputs:
    """Some inputs with further files beside them."""
    names = (
        b"python_env.yaml",
        b"conda.yaml",
        b"requirements.txt",
        b"a.txt",
        b"sub/b.txt",
        b".python-version",
    )
    other = st.tuples(st.sampled_from(names), _joined(_ODD["requirements"])).map(
        lambda found: SEPARATOR + found[0] + b"\n" + found[1]
    )
    return st.one_of(
        first, st.tuples(first, st.lists(other, max_size=3)).map(lambda f: f[0] + b"".join(f[1]))
    )


def _inputs(target: str) -> Inputs:
    words = _ODD[target]
    ways = [_joined(words), st.binary(max_size=80)]
    if known := seeds(target):
        ways += [_changed(st.sampled_from(known), words)] * 2
    if target in ("mlproject", "python_env", "conda", "mlmodel"):
        ways.append(_yaml().map(_bytes))
    if target in ("mlproject", "requirements", "python_env"):
        return _several(st.one_of(ways))
    if target == "metrics":
        content = st.one_of(*ways[:2], _yaml().map(_bytes))
        named = st.tuples(st.sampled_from(SUFFIXES), content).map(b"\n".join)
        return st.one_of(named, *ways[2:])
    return st.one_of(ways)


INPUTS: dict[str, Inputs] = {target: _inputs(target) for target in TARGETS}
