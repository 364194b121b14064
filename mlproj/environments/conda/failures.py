"""What rattler raises in words for a person, panics of its code in Rust, which are no `Exception`, too."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from rattler import exceptions

from mlproj.environments.conda.addresses import public
from mlproj.errors import EnvironmentFailed

_PANIC = "PanicException"
_CAUSE = re.compile(r"\s*\nCaused by: ")
_SOLVER = re.compile(r"^Cannot solve the request because of: (?:The following packages are incompatible\s*)?")
_NETWORK = re.compile(
    r"error sending request|Connection refused|dns error|timed out|HTTP status|No such file"
)
_NO_ACCESS = re.compile(r"401 Unauthorized|403 Forbidden")


@contextlib.contextmanager
def translated(
    what: str, file: str, secrets: tuple[str, ...], looked_in: tuple[str, ...] = ()
) -> Iterator[None]:
    """Turns what rattler raises while it does `what` into EnvironmentFailed, with no credentials in it.

    `file` is where a person looks when it fails, `secrets` are URLs that hold some, `looked_in` are channels.
    """
    try:
        yield
    except exceptions.SolverError as error:
        raise _unsolvable(_told(error, secrets), file, looked_in) from None
    except EnvironmentFailed:
        raise
    except Exception as error:
        if type(error).__module__ not in ("exceptions", "rattler.exceptions", "rattler"):
            raise
        raise _failure(what, _told(error, secrets)) from None
    except BaseException as error:
        if type(error).__name__ != _PANIC:
            raise
        raise _failure(f"{what}, by a fault of rattler's", _told(error, secrets)) from None


def _told(error: BaseException, secrets: tuple[str, ...]) -> str:
    words = str(error).strip()
    for secret in secrets:
        words = words.replace(secret, public(secret))
    return public(words)


def _unsolvable(words: str, file: str, looked_in: tuple[str, ...]) -> EnvironmentFailed:
    explanation = _SOLVER.sub("", words).strip()
    places = "".join(f", `{public(name)}`" for name in looked_in).removeprefix(",")
    hint = f"look at the names, versions and channels in `{file}`; looked in{places}"
    if "no timestamp" in explanation:
        hint = "`--as-of` needs channels that tell when their packages came; leave it out, and name versions"
    elif "cutoff date" in explanation:
        hint = "`--as-of` leaves out what came later"
    if "\n" not in explanation:
        return EnvironmentFailed(
            f"the packages of `{file}` cannot be had: {explanation.rstrip('.')}", hint=hint
        )
    return EnvironmentFailed(
        f"the packages that `{file}` asks for do not go together", hint=hint, output=explanation
    )


def _failure(what: str, words: str) -> EnvironmentFailed:
    first, *causes = dict.fromkeys(cause.strip() for cause in _CAUSE.split(words))
    hint = None
    if _NO_ACCESS.search(words):
        hint = "put credentials into `~/.rattler/credentials.json`, the keyring or `.netrc`"
    elif _NETWORK.search(words):
        hint = "look at the network, and at the channels that the file or `.condarc` names"
    # In between stand the library's own steps; the one with an address says what could not be reached.
    telling = next((cause for cause in (first, *causes) if "://" in cause), first)
    because = ": ".join(dict.fromkeys((telling, *causes[-1:])))
    return EnvironmentFailed(f"{what}: {because}", hint=hint, output=words if causes else "")
