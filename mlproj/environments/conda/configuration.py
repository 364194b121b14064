"""A person's configuration of conda (`.condarc`) and rattler, as far as it says where packages come from."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlproj.environments.conda.orders import Network
from mlproj.errors import EnvironmentFailed, SpecError
from mlproj.spec import documents, text, toml

ALIAS = "https://conda.anaconda.org"
DEFAULT_CHANNELS = ("https://repo.anaconda.com/pkgs/main", "https://repo.anaconda.com/pkgs/r")

_VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)\}|(?P<bare>\w+))")
_TRUE = ("1", "true", "yes", "on", "y")
_FALSE = ("0", "false", "no", "off", "n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """`channels` come after those that a file names. `custom` gives single channels the URL they lie under,
    `groups` are names for several channels."""

    channels: tuple[str, ...] = ()
    default_channels: tuple[str, ...] = DEFAULT_CHANNELS
    alias: str = ALIAS
    custom: tuple[tuple[str, str], ...] = ()
    groups: tuple[tuple[str, tuple[str, ...]], ...] = ()
    strict: bool = True
    with_pip: bool = True
    network: Network = field(default_factory=Network)


def read_configuration(environ: Mapping[str, str]) -> Configuration:
    """What the files and variables say together. Raises EnvironmentFailed for a file that cannot be read."""
    options: dict[str, Any] = {}
    for file in _condarc_files(environ):
        _merge(options, _load(file))
    options = _expanded(options, environ) | _variables(environ)
    rattler = tuple(filter(Path.is_file, _rattler_files(environ)))
    channels = _texts(options.get("channels")) or _rattler_channels(rattler)
    return Configuration(
        channels=channels,
        default_channels=_texts(options.get("default_channels")) or DEFAULT_CHANNELS,
        alias=str(options.get("channel_alias") or ALIAS),
        custom=tuple((name, str(url)) for name, url in _mapping(options, "custom_channels")),
        groups=_groups(options),
        strict=str(options.get("channel_priority", "strict")).lower() not in ("disabled", "false"),
        with_pip=_is_true(options.get("add_pip_as_python_dependency", True)),
        network=_network(options, rattler, environ),
    )


def expanded(value: str, environ: Mapping[str, str]) -> str:
    """A text with `$NAME` and `${NAME}` replaced where there is such a variable, as conda does."""
    return _VARIABLE.sub(lambda found: environ.get(found["braced"] or found["bare"], found[0]), value)


def _condarc_files(environ: Mapping[str, str]) -> Iterable[Path]:
    """The files that are there, each outranking those before it."""
    home = Path(environ.get("HOME", "/"))
    own = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "conda"
    folders = [Path("/etc/conda"), Path("/var/lib/conda")]
    folders += [Path(environ[name]) for name in ("CONDA_ROOT",) if environ.get(name)]
    files = [folder / name for folder in (*folders, own, home / ".conda") for name in (".condarc", "condarc")]
    files += [home / ".condarc", home / ".mambarc"]
    files += [Path(environ[name]) for name in ("CONDARC", "MAMBARC") if environ.get(name)]
    return (file for file in files if file.is_file())


def _rattler_files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The configuration that all of rattler's tools share."""
    home = Path(environ.get("HOME", "/"))
    own = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    return Path("/etc/rattler/config.toml"), own / "rattler" / "config.toml"


def _load(file: Path) -> dict[str, Any]:
    try:
        root = documents.parse(text.read(file.parent, file.name), str(file), [])
    except SpecError as error:
        raise EnvironmentFailed(error.message, hint=error.hint) from error
    found = None if root is None else documents.value_of(root)
    if found is not None and not isinstance(found, dict):
        raise EnvironmentFailed(f"`{file}` is no configuration of conda: it must be a mapping")
    return found or {}


def _merge(options: dict[str, Any], later: dict[str, Any]) -> None:
    """What comes later outranks: its lists come first, its mappings are added, its texts replace."""
    for name, value in later.items():
        before = options.get(name)
        if isinstance(before, list) and isinstance(value, list):
            value = [*value, *(item for item in before if item not in value)]
        elif isinstance(before, dict) and isinstance(value, dict):
            value = before | value
        options[name] = value


def _expanded(value: Any, environ: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return expanded(value, environ)
    if isinstance(value, list):
        return [_expanded(item, environ) for item in value]
    if isinstance(value, dict):
        return {str(name): _expanded(item, environ) for name, item in value.items()}
    return value


def _variables(environ: Mapping[str, str]) -> dict[str, Any]:
    def split(words: str) -> list[str]:
        return [word.strip() for word in re.split("[,&]", words) if word.strip()]

    kinds: dict[str, Callable[[str], Any]] = {
        "channels": split,
        "default_channels": split,
        "channel_alias": str,
        "channel_priority": str,
        "add_pip_as_python_dependency": str,
        "ssl_verify": str,
    }
    named = ((name, environ.get(f"CONDA_{name.upper()}"), read) for name, read in kinds.items())
    return {name: read(value) for name, value, read in named if value}


def _rattler_channels(files: Iterable[Path]) -> tuple[str, ...]:
    channels: tuple[str, ...] = ()
    for file in files:
        try:
            named = toml.decode(text.read(file.parent, file.name), dict[str, Any]).get("default-channels")
        except (SpecError, ValueError) as error:
            raise EnvironmentFailed(f"`{file}` is no configuration of rattler: {error}") from error
        channels = _texts(named) or channels
    return channels


def _groups(options: dict[str, Any]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    # What mamba calls mirrors of a channel hold the same packages: the first that is named serves.
    mirrored = [(name, _texts(urls)[:1]) for name, urls in _mapping(options, "mirrored_channels")]
    several = [(name, _texts(names)) for name, names in _mapping(options, "custom_multichannels")]
    return tuple((name, members) for name, members in (*mirrored, *several) if members)


def _network(options: dict[str, Any], rattler: tuple[Path, ...], environ: Mapping[str, str]) -> Network:
    verify = options.get("ssl_verify")
    verify = True if verify in (None, "") else verify
    is_doubted = verify is False or str(verify).lower() in _FALSE
    settings = [("tls-no-verify", "true")] if is_doubted else []
    for scheme, address in _mapping(options, "proxy_servers"):
        if scheme in ("http", "https"):
            settings.append((f"proxy-config.{scheme}", str(address)))
    is_named = not (is_doubted or _is_true(verify) or verify == "truststore")
    certificates = _certificates(str(verify), environ) if is_named else None
    return Network(files=tuple(map(str, rattler)), settings=tuple(settings), certificates=certificates)


def _certificates(named: str, environ: Mapping[str, str]) -> str:
    home = environ.get("HOME", "/")
    path = os.path.abspath(home + named.removeprefix("~") if re.match("~(/|$)", named) else named)
    if not os.path.exists(path):
        hint = "`ssl_verify` is true, false, or a file or folder of certificates"
        raise EnvironmentFailed(f"conda's `ssl_verify` names `{named}`, and there is nothing", hint=hint)
    return path


def _mapping(options: dict[str, Any], name: str) -> Iterable[tuple[str, Any]]:
    found = options.get(name)
    return found.items() if isinstance(found, dict) else ()


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _is_true(value: Any) -> bool:
    return value is True or str(value).lower() in _TRUE
