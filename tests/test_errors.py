"""Errors are a line each, and hints come in time, whatever was written."""

from __future__ import annotations

import pytest

from mlproj.cli.controls import printable
from mlproj.errors import LONGEST, MlprojError, SpecError, did_you_mean


def test_message_and_hint_are_a_line_each() -> None:
    error = MlprojError("`a\nb\u2028c`\td", hint="one\r\ntwo")
    assert (error.message, error.hint) == (r"`a\nb\u2028c`\td", r"one\r\ntwo")
    assert str(error) == error.message


def test_a_very_long_message_keeps_its_ends_and_its_place() -> None:
    error = SpecError(f"`{'x' * 100_000}` is not it", file="MLproject", line=7)
    assert len(error.message) < LONGEST
    assert error.message.startswith("`xxx") and error.message.endswith("x` is not it (MLproject:7)")


@pytest.mark.parametrize("turning", ["\u202e" * 700, "\u202e" * 5000])
def test_a_message_of_what_has_to_be_spelt_can_still_be_read(turning: str) -> None:
    assert len(printable(MlprojError(f"`{turning}` is no time").message)) <= 5000


def test_nobody_means_a_word_of_a_megabyte() -> None:
    words = [chr(0x4E00 + number % 5000) * 3 for number in range(100_000)]
    assert did_you_mean("".join(words), ["".join(reversed(words))]) is None
    assert did_you_mean("alhpa", (*words, "alpha")) is None, "looking through all of them would take long"
    assert did_you_mean("alhpa", ("alpha", *words)) == "did you mean `alpha`?"
