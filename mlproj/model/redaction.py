"""Credentials told by their form in a text, so that no message and no record holds them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

MASK = "***"

SECRET_NAME = re.compile(
    r"token|secret|passw|credential|signature|api[-_]?key|access[-_]?key|private[-_]?key|auth(?!or)",
    re.IGNORECASE,
)
"""Part of a variable's or a query field's name that says its value is nobody's business."""

ENDPOINT = re.compile(
    r"(?P<place>\bhttp://127\.0\.0\.1:\d{1,5}/t/|\bhttps?://[^\s'\"<>]{1,300}?/t/(?=mlproj_))"
    r"(?P<token>(?:mlproj_[0-9a-f]{16}_)?[A-Za-z0-9_-]{32})(?![\w-])"
)
"""The address that a run's script logs to, its own or that of the run which began it; at a server, too."""

CALLS_ITSELF = "mlproj_"
"""What every token of a server of ours begins with: `mlproj_<id>_<secret>`."""

SERVER_TOKEN = re.compile(rf"\b{CALLS_ITSELF}[0-9a-f]{{16}}_[A-Za-z0-9_-]{{20,200}}")
"""What lets a program in at a server of ours, wherever it stands."""

OUTER_SECRETS = "MLPROJ_SECRETS"
"""The variable that holds, as a JSON list, what of the addresses of the runs that a process is in nobody is
shown: its own run's, and those of the runs around that one."""

STORE_TOKEN = "MLPROJ_TOKEN"
"""The variable with the token that lets us in at a store at a server."""

SECRET_VARIABLES = "MLPROJ_SECRET_VARIABLES"
"""The variable that names, with commas between, those that a person gave as secrets by `--env-file`."""

_USER_INFO = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]*://)(?P<user>[^\s/?#'\"`]*)@", re.IGNORECASE)
_QUERY_FIELD = re.compile(r"(?P<name>[?&](?P<key>[^\s=&#'\"`]+)=)(?P<value>[^\s&#'\"`]*)")
_SHORT_NAMES = frozenset(("sig", "key", "pwd", "code", "sas"))


def outer_secrets(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The secrets of the runs that we are in."""
    try:
        found = json.loads(environ.get(OUTER_SECRETS) or "[]")
    except ValueError:
        return ()
    return tuple(item for item in found if item and isinstance(item, str)) if isinstance(found, list) else ()


def login_of(uri: str) -> str | None:
    """User and password in an address, which are nobody's business; None where there are none."""
    netloc = uri.partition("://")[2].partition("/")[0]
    return netloc.rpartition("@")[0] or None


def without_credentials(text: str) -> str:
    """`text` with the credentials of every URL in it taken out, tokens of endpoints and servers among them.

    User and password go from before the `@` (an ssh user's name stays: it names the account, and is no
    secret), and a query field with a telling name keeps its name, with `***` as its value.
    """
    text = SERVER_TOKEN.sub(MASK, text)
    if "://" not in text:
        return text
    return ENDPOINT.sub(rf"\g<place>{MASK}", _QUERY_FIELD.sub(_field, _USER_INFO.sub(_user, text)))


def _user(match: re.Match[str]) -> str:
    name = match["user"].partition(":")[0]
    keeps_user = match["scheme"].lower().endswith("ssh://") and "@" not in match["user"]
    return f"{match['scheme']}{name}@" if keeps_user and name else match["scheme"]


def _field(match: re.Match[str]) -> str:
    telling = SECRET_NAME.search(match["key"]) or match["key"].lower() in _SHORT_NAMES
    return f"{match['name']}{MASK}" if telling else match[0]
