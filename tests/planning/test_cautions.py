"""A value in the program text of another language is told of, and one that is an argument is not."""

from __future__ import annotations

import pytest

from mlproj.planning.cautions import placeholders_in_programs
from mlproj.planning.command import render
from tests.planning.making import entry, value

IN_PROGRAMS = (
    ("python", "python -c 'print({x})'"),
    ("python", "python -c \"print('{x}')\" a"),
    ("python", "python -uc 'print({x})'"),
    ("python", "python -c'print({x})'"),
    ("python", "python -W ignore -c {x}"),
    ("python3.11", "/usr/bin/python3.11 -c 'print({x})'"),
    ("python", "A=1 python -c 'print({x})' > made"),
    ("python", "cd a && env A=1 python -c 'print({x})'"),
    ("python", "uv run python -c 'print({x})'"),
    ("python", "timeout 5 python -c 'print({x})'"),
    ("python", "echo a | xargs -n 1 python -c 'print({x})'"),
    ("python", 'echo "$(python -c "print({x})")"'),
    ("perl", "perl -e 'print {x}'"),
    ("perl", "perl -i.bak -lne 'print {x}' made"),
    ("perl", "perl -e 'a' -E 'print {x}'"),
    ("ruby", "ruby -e 'puts {x}'"),
    ("node", "node -e 'f({x})'"),
    ("node", "node --eval='f({x})'"),
    ("node", "node -r a --print 'f({x})'"),
    ("Rscript", "Rscript -e 'f({x})'"),
    ("Rscript", "Rscript --vanilla -e a -e 'f({x})' b"),
    ("R", "R -q -e 'f({x})'"),
    ("julia", "julia -e 'f({x})'"),
    ("awk", "awk '{{print ${x}}}' made"),
    ("awk", "awk -F, -v n=1 '$1 > {x}' made"),
    ("gawk", "gawk -e '$1 > {x}' made"),
    ("sed", "sed 's/a/{x}/' made"),
    ("sed", "sed -n {x}p made"),
    ("sed", "sed made -e s/a/{x}/"),
    ("sed", "sed -i -e 's/a/b/' --expression=s/a/{x}/ made"),
    ("sed", "find . -exec sed -i 's/a/{x}/' {{}} +"),
)

ARGUMENTS = (
    "python train.py -c {x}",
    "python {x} -c a",
    "python -m train -c {x}",
    "python -c 'import sys' {x}",
    "python -c 'import sys' -c {x}",
    "python -W {x} -c a",
    "python -c 'import sys' < {x}",
    "{x} -c a",
    "A={x} python -c 'a'",
    'python -c "print($(wc -l {x}))"',
    "uv run python train.py -c {x}",
    "uv run --with {x} python -c a",
    "pytest -c {x}",
    "perl a.pl -e {x}",
    "perl -e 'print @ARGV' {x}",
    "perl -pie {x}",
    "node -e 'f()' {x}",
    "node a.js -e {x}",
    "Rscript a.R -e {x}",
    "Rscript -e 'f()' {x}",
    "R -q -e 'f()' --args {x}",
    "awk '{{print $1}}' {x}",
    "awk -v n={x} '{{print n}}' made",
    "awk -F {x} '{{print $1}}' made",
    "awk -f a.awk {x}",
    "sed 's/a/b/' {x}",
    "sed -i.bak 's/a/b/' {x}",
    "sed -e 's/a/b/' {x}",
    "sed {x} -e 's/a/b/'",
    "sed -f {x} made",
    "sed --file=a {x}",
    "sed 's/a/b/' made > {x}",
    "grep -e {x} made",
    "echo python -c {x}",
)


@pytest.mark.parametrize(("program", "template"), IN_PROGRAMS)
def test_a_value_in_a_programs_text_is_warned_of_and_runs(program: str, template: str) -> None:
    declared = entry(template, "x")
    (found,) = placeholders_in_programs(declared)
    assert (found.severity, str(found.location)) == ("warning", "MLproject:7")
    assert f"`{{x}}` stands in the program text of `{program}`" in found.message
    assert found.hint == "pass it as an argument instead"
    assert render(declared, (value("x", "0.5"),), {}) == template.format(x="0.5")


@pytest.mark.parametrize("template", ARGUMENTS)
def test_a_value_that_is_an_argument_is_nothing_to_warn_of(template: str) -> None:
    assert placeholders_in_programs(entry(template, "x")) == ()


def test_each_name_is_warned_of_once() -> None:
    declared = entry("sed s/{x}/{y}/ {z} | sed s/{y}/{x}/", "x", "y", "z")
    assert [finding.message.split("`")[1] for finding in placeholders_in_programs(declared)] == ["{x}", "{y}"]
