"""Hands pip's configuration on to uv, which does not read it: private indexes are configured for pip."""

from __future__ import annotations

import configparser
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlproj.model.redaction import MASK, without_credentials

_SECTIONS = ("global", "install")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSettings:
    """How uv is told where packages come from: variables for every call, arguments for resolving alone.

    `notes` are sentences for a person: what the configuration names and is not there.
    """

    variables: tuple[tuple[str, str], ...] = ()
    resolving: tuple[tuple[str, str], ...] = ()
    arguments: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def identity(self) -> list[str]:
        """What of the settings a resolution depends on, without credentials."""
        pairs = [pair for pair in (*self.variables, *self.resolving) if pair[0] not in _IDLE]
        return [f"{name}={without_credentials(value)}" for name, value in pairs] + list(self.arguments)


def redacted(text: str, environ: Mapping[str, str], *more: str) -> str:
    """The text of a tool for people to read: no credentials of URLs, nor the passwords themselves.

    `more` are texts (requirement lines, settings) whose URLs may hold passwords.
    """
    told = without_credentials(text)
    values = [value for name, value in environ.items() if name.startswith(("PIP_", "UV_"))]
    for secret in passwords(*values, *more):
        told = told.replace(secret, MASK)
    return told


def passwords(*texts: str) -> set[str]:
    """The passwords in the URLs of some texts, as written and decoded."""
    found = set()
    for text in texts:
        for word in re.findall(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s,\"'<>]+@[^\s,\"'<>]*", text):
            try:
                parts = urlsplit(word)
            except ValueError:
                continue
            secret = parts.password or ""
            # A shorter word would be taken out of innocent text too.
            found |= {value for value in (secret, unquote(secret)) if len(value) > 3}
    return found


def index_settings(environ: Mapping[str, str]) -> IndexSettings:
    """pip's configuration (its files and `PIP_*` variables) in uv's terms.

    Whatever the person has set for uv itself stays as it is.
    """
    options = _pip_options(environ)
    notes: list[str] = []

    def words(name: str) -> list[str]:
        return options.get(name, "").split()

    def present(name: str, what: str) -> list[str]:
        kept = []
        for word in words(name):
            path = _local(word)
            if path is None or path.exists():
                kept.append(word)
            else:
                notes.append(f"pip's configuration names {what} `{word}`, which is not there")
        return kept

    variables = {
        "UV_DEFAULT_INDEX": " ".join(words("index-url")[:1]),
        "UV_INDEX": " ".join(present("extra-index-url", "the index")),
        "UV_FIND_LINKS": ",".join(_expanded(word) for word in present("find-links", "the folder")),
        "UV_INSECURE_HOST": " ".join(words("trusted-host")),
        "SSL_CERT_FILE": "".join(present("cert", "the certificates")[:1]),
        "SSL_CLIENT_CERT": "".join(present("client-cert", "the certificate")[:1]),
        "UV_HTTP_TIMEOUT": options.get("timeout", options.get("default-timeout", "")).partition(".")[0],
        "ALL_PROXY": options.get("proxy", ""),
    }
    resolving = {
        # pip takes the best match over all indexes, where uv stops at the first that knows the name.
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_CONSTRAINT": " ".join(present("constraint", "the constraints")),
        "UV_PRERELEASE": "allow" if _is_true(options.get("pre", "")) else "",
    }
    return IndexSettings(
        variables=_unset(variables, environ),
        resolving=_unset(resolving, environ),
        arguments=_arguments(options),
        notes=tuple(notes),
    )


_IDLE = frozenset({"SSL_CERT_FILE", "SSL_CLIENT_CERT", "UV_HTTP_TIMEOUT", "ALL_PROXY", "UV_INSECURE_HOST"})
"""What says how to connect, and not what is found."""

_OLDER_NAMES = {"UV_DEFAULT_INDEX": "UV_INDEX_URL", "UV_INDEX": "UV_EXTRA_INDEX_URL"}


def _unset(variables: Mapping[str, str], environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The variables to set; one that the person has set counts with the person's value."""
    pairs = []
    for name, value in variables.items():
        own = environ.get(name) or environ.get(_OLDER_NAMES.get(name, ""), "")
        if own or value:
            pairs.append((name, own or value))
    return tuple(pairs)


def _arguments(options: Mapping[str, str]) -> tuple[str, ...]:
    arguments = ["--no-index"] if _is_true(options.get("no-index", "")) else []
    for name in ("no-binary", "only-binary"):
        for word in options.get(name, "").replace(",", " ").split():
            arguments += [f"--{name}", word]
    return tuple(arguments)


def _pip_options(environ: Mapping[str, str]) -> dict[str, str]:
    """pip's options by name; a variable outranks a file, and a later file an earlier one."""
    options: dict[str, str] = {}
    for file in _files(environ):
        # Configuration of pip's holds `%` as itself.
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeError):
            continue
        for section in filter(parser.has_section, _SECTIONS):
            options |= {name.replace("_", "-"): value for name, value in parser.items(section)}
    for name, value in environ.items():
        if name.startswith("PIP_") and value:
            options[name[4:].lower().replace("_", "-")] = value
    return options


def _files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """pip's configuration files, each outranking those before it."""
    named = environ.get("PIP_CONFIG_FILE")
    if named == "/dev/null":
        return ()
    home = Path(environ.get("HOME", "/"))
    machine = [Path(folder) / "pip" for folder in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")]
    if sys.platform == "darwin":
        machine = [Path("/Library/Application Support/pip")]
    own = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip"
    library = home / "Library" / "Application Support" / "pip"
    if sys.platform == "darwin" and library.is_dir():
        own = library
    files = [folder / "pip.conf" for folder in (*machine, Path("/etc"), home / ".pip", own)]
    return (*files, *((Path(named),) if named else ()))


def _local(word: str) -> Path | None:
    """The folder or file that a word of the configuration means, None for one on the network."""
    if word.startswith("file:"):
        return Path(unquote(urlsplit(word).path))
    return None if "://" in word else Path(os.path.expanduser(word))


def _expanded(word: str) -> str:
    return os.path.expanduser(word)


def _is_true(value: str) -> bool:
    return value.lower() in ("1", "true", "yes", "on", "y", "t")
