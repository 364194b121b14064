"""What of uv's and pip's complaints goes into one sentence."""

from __future__ import annotations

import pytest

from mlproj.environments.uv import gist, tool_failure

REFUSED = """\
error: Request failed after 3 retries in 4.6s
  cause: Failed to fetch: http://127.0.0.1:9/simple/six/
  cause: tcp connect error
  cause: Connection refused (os error 111)
"""
UNSOLVED = """\
error: No solution found when resolving dependencies
  cause: Because x was not found in the package registry and you require x==1, we can conclude that your
         requirements are unsatisfiable.

hint: Packages were unavailable because index lookups were disabled
"""
UNBUILT = """\
Using Python 3.11.7 environment at: /cache/environments/5500
error: Failed to build `ours @ file:///ours`
  cause: The build backend returned an error
  cause: Call to `setuptools.build_meta.build_wheel` failed (exit status: 1)

         [stderr]
         the compiler is on holiday

         hint: This usually indicates a problem with the package or the build environment.
"""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (REFUSED, "Failed to fetch: http://127.0.0.1:9/simple/six/: Connection refused (os error 111)"),
        (
            UNSOLVED,
            "No solution found when resolving dependencies: Because x was not found in the package registry "
            "and you require x==1, we can conclude that your requirements are unsatisfiable",
        ),
        (UNBUILT, "Failed to build `ours @ file:///ours`: the compiler is on holiday"),
        ("ERROR: No matching distribution found for x\n", "No matching distribution found for x"),
        ("sh: 1: cc: not found", "sh: 1: cc: not found"),
        ("", "it gave no reason"),
    ],
)
def test_a_complaint_is_what_failed_and_why(words: str, expected: str) -> None:
    assert gist(words) == expected


def test_the_words_themselves_go_with_the_error_and_the_network_is_what_to_look_at() -> None:
    error = tool_failure("it cannot be resolved", REFUSED, hint="look at the names")
    assert error.output == REFUSED.rstrip() and "\n" not in error.message
    assert error.hint is not None and error.hint.startswith("look at the network")
    assert (
        tool_failure("it cannot be resolved", UNSOLVED, hint="look at the names").hint == "look at the names"
    )
