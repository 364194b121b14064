"""Whether a value reaches a program byte for byte, by a real bash, or is refused."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from mlproj.planning.command import render
from tests.planning.making import entry, value

COMMANDS = (
    r"printf '%s\0' {x}",
    r"printf '%s\0' '{x}'",
    'printf "%s\\0" "{x}"',
    r"printf '%s\0' --a={x} | cut -z -c5-",
    r"true && (printf '%s\0' {x} || exit 3)",
    'if true; then printf "%s\\0" "{x}"; fi',
    r"for i in {x}; do printf '%s\0' \"$i\"; done".replace(r"\"", '"'),
    r"VAR={x} env bash show",
    "VAR='{x}' bash show",
    'true "$(true "{x}")"; printf "%s\\0" {x}',
    "cat <<EOF\n{x}\nEOF",
    r"eval printf %s {x}",
    r"bash -c 'printf %s {x}'",
    "printf '%s\\0' \\\n  {x} \\\n",
    r"{{ printf '%s\0' {x}; }} # isn't it",
    r"case a in a) printf '%s\0' '{x}';; esac",
    r"printf '%s\0' {x}{x}",
    r"[ a = {x} ] && true; printf '%s\0' {x}",
)
"""Commands that print the value of `x` and a NUL, or that only take a value without shell characters."""

_SHOW = "printf '%s\\0' \"$VAR\"\n"
_PATIENCE = 20.0


class Changed(AssertionError):
    """A value that reached the program as another one, or was executed."""


def arrives(chosen: int, text: str, folder: Path) -> None:
    """Runs one of COMMANDS with `text`. Raises MlprojError where it is refused, Changed where it got lost."""
    template = COMMANDS[chosen % len(COMMANDS)]
    command = render(entry(template, "x"), (value("x", text),), {})
    if "\0" in text or len(os.fsencode(command)) > 100_000 or not template.count("printf"):
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "show").write_text(_SHOW)
    _bash(("-n", "-c", command), folder)
    seen = _bash(("-c", command), folder)
    content = os.fsencode(text) * (2 if "{x}{x}" in template else 1)
    if seen.rstrip(b"\0") != content.rstrip(b"\0") or sorted(os.listdir(folder)) != ["show"]:
        raise Changed(f"{command!r} printed {seen[:200]!r} for {text[:200]!r}")


def _bash(arguments: tuple[str, ...], folder: Path) -> bytes:
    done = subprocess.run(
        ("bash", *arguments),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_PATIENCE,
    )
    if done.returncode not in (0, 1) or b"syntax error" in done.stderr:
        raise Changed(f"{arguments!r} ended with {done.returncode}: {done.stderr[:200]!r}")
    return done.stdout
