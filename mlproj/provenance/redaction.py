"""Which values are secrets by their form, and which variables by their name."""

from __future__ import annotations

import re

from mlproj.model.redaction import ENDPOINT, MASK, SECRET_NAME, SERVER_TOKEN, without_credentials

_SECRET_VALUE = re.compile(
    r"""
      [a-z][a-z0-9+.-]*://[^\s/?\#:@]*:[^\s/?\#@]+@          # a URL with a password
    | \b(?:AKIA|ASIA)[0-9A-Z]{16}\b                          # AWS
    | \bgh[pousr]_[A-Za-z0-9]{20,}                           # GitHub
    | \bgithub_pat_[A-Za-z0-9_]{20,}
    | \bglpat-[A-Za-z0-9_-]{16,}                             # GitLab
    | \bsk-(?:[a-z]+-)*[A-Za-z0-9_-]*[0-9][A-Za-z0-9_-]{15,} # OpenAI, Anthropic
    | \bxox[abeoprs]-[A-Za-z0-9-]{10,}                       # Slack
    | \bhf_[A-Za-z0-9]{20,}                                  # Hugging Face
    | \bnpm_[A-Za-z0-9]{30,}
    | \bpypi-[A-Za-z0-9_-]{32,}
    | \bdapi[0-9a-f]{32}\b                                   # Databricks
    | \bAIza[0-9A-Za-z_-]{35}                                # Google
    | \beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+
    | -----BEGIN\ (?:[A-Z0-9]+\ )*PRIVATE\ KEY
    """,
    re.VERBOSE,
)
_PLAIN_NAME = re.compile(r"^(?:MAX_|NUM_)|TOKENIZERS?(?:_|$)", re.IGNORECASE)
_SECRET_VARIABLE = re.compile(r"(?:^|_)(?:KEY|PWD|PAT|SAS)(?:_|$)|" + SECRET_NAME.pattern, re.IGNORECASE)


def looks_secret_value(text: str) -> bool:
    """Whether a value has a secret's form: a known kind of token, a private key, a URL with a password or of
    a run's endpoint.

    Told by the value alone: parameters named `tokenizer` or `max_tokens` hold no secrets, and a path or a
    hash is none.
    """
    return any(form.search(text) is not None for form in (_SECRET_VALUE, ENDPOINT, SERVER_TOKEN))


def looks_secret_name(name: str) -> bool:
    """Whether a variable of that name holds a secret."""
    return _SECRET_VARIABLE.search(name) is not None and _PLAIN_NAME.search(name) is None


def redacted(name: str, value: str) -> str:
    """A variable's value as it may be recorded."""
    if looks_secret_name(name):
        return MASK
    cleaned = without_credentials(value)
    return MASK if looks_secret_value(cleaned) else cleaned
