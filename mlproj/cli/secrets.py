"""What nobody else on the machine is to see is typed, or sent to standard input, and never an argument."""

from __future__ import annotations

import sys

import typer

from mlproj.errors import UsageError


def read_secret(called: str) -> str:
    """What a person types twice, or the first line of standard input. Raises UsageError where there is
    none."""
    if sys.stdin.isatty():
        typed: str = typer.prompt(called, hide_input=True, confirmation_prompt=True, err=True)
        return typed
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise UsageError(f"there is no {called}", hint="type one, or send it to standard input")
    return line
