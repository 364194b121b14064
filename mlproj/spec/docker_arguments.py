"""`-A name=value`: options as `docker run` names them become the engine's request for a container."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from mlproj.errors import UsageError, did_you_mean
from mlproj.spec.docker_variables import read_variables

Arguments = tuple[tuple[str, str | None], ...]
Request = dict[str, Any]
"""The body of the engine's `POST /containers/create`."""

BUILD = "build-arg"
"""The one option that is `docker build`'s."""
VOLUME = "volume"
_FILE = "env-file"

_SHORT = {
    "c": "cpu-shares",
    "e": "env",
    "h": "hostname",
    "i": "interactive",
    "l": "label",
    "m": "memory",
    "p": "publish",
    "t": "tty",
    "P": "publish-all",
    "u": "user",
    "v": VOLUME,
    "w": "workdir",
    "net": "network",
    "dns-opt": "dns-option",
}
_OURS = frozenset(
    [
        "attach",
        "a",
        "cidfile",
        "detach",
        "d",
        "detach-keys",
        "disable-content-trust",
        "name",
        "pull",
        "quiet",
        "q",
        "restart",
        "sig-proxy",
        "stop-signal",
        "stop-timeout",
    ]
)
"""What says how a container is watched, which is what a run does."""

NEEDLESS = {
    "rm": "a container is always removed",
    "tty": "what runs write is recorded, and goes to no terminal",
    "interactive": "the standard input of a run is empty",
}
"""What people are used to write, and why it changes nothing."""


def parse_arguments(texts: Sequence[str]) -> Arguments:
    """Options with their values, None for one without, from `name=value` and `name`, with dashes or without.

    Raises UsageError for an option that `docker run` does not have, for a value that does not fit, and for
    one that is given twice and can only be meant once.
    """
    arguments = tuple(one for text in texts for one in _parsed(text))
    seen: set[str] = set()
    for name, _ in arguments:
        if name in seen and name in OPTIONS and not OPTIONS[name].many:
            raise UsageError(f"`-A {name}` is given twice")
        seen.add(name)
    request(arguments)
    return arguments


def request(arguments: Arguments) -> Request:
    """What they ask of the engine. Raises UsageError."""
    body: Request = {}
    for name, value in arguments:
        if name in (BUILD, VOLUME):
            if not value:
                raise UsageError(f"`-A {name}` needs a value", hint=f"write `-A {name}=VALUE`")
            continue
        if name in NEEDLESS:
            continue
        option = OPTIONS[name]
        *folders, last = option.place
        place = body
        for folder in folders:
            place = place.setdefault(folder, {})
        found = _value(name, option, value)
        if isinstance(found, dict) and option.many:
            place.setdefault(last, {}).update(found)
        elif option.many:
            place.setdefault(last, []).extend(found if isinstance(found, list) else [found])
        else:
            place[last] = found
    return body


def shown(arguments: Arguments) -> tuple[str, ...]:
    """The options as they were given; of variables and values for a build, which may be secret, the names."""
    told = []
    for name, value in arguments:
        kept = value.partition("=")[0] if value and name in ("env", BUILD) else value
        told.append(name if kept is None else f"{name}={kept}")
    return tuple(told)


def values(arguments: Arguments, name: str) -> tuple[str, ...]:
    """Every value that the option was given."""
    return tuple(value for given, value in arguments if given == name and value is not None)


def _parsed(text: str) -> Iterator[tuple[str, str | None]]:
    name, equals, value = text.partition("=")
    name = name.strip().lstrip("-")
    name = _SHORT.get(name, name)
    if name in _OURS:
        raise UsageError(
            f"`-A {name}` says how a container is watched, which mlproj does", hint="leave it out"
        )
    if name == _FILE:
        yield from (("env", line) for line in read_variables(value))
        return
    known = (*OPTIONS, *NEEDLESS, BUILD, VOLUME, _FILE)
    if name not in known:
        hint = did_you_mean(name, known) or "`docker run --help` names those that there are"
        raise UsageError(f"`docker run` has no option `--{name}` that means something to a run", hint=hint)
    yield name, value if equals else None


class _Option(msgspec.Struct, frozen=True):
    """Where a value goes in the request and how it is read; one of `many` may be given again. A `flag` is
    true where no value is given."""

    place: tuple[str, ...]
    read: Callable[[str], Any]
    many: bool = False
    flag: bool = False


def _value(name: str, option: _Option, value: str | None) -> Any:
    if value is None:
        if option.flag:
            return option.read("true")
        raise UsageError(f"`-A {name}` needs a value", hint=f"write `-A {name}=VALUE`")
    try:
        return option.read(value)
    except ValueError as error:
        raise UsageError(f"`-A {name}={value}` is not as `docker run` takes it: {error}") from error


_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[bkmgtp]?)(?:i?b)?", re.IGNORECASE)


def _size(text: str) -> int:
    if text == "-1":
        return -1
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError("a size is a number with `b`, `k`, `m` or `g`")
    power = "bkmgtp".index(match["unit"].lower() or "b")
    return int(float(match["number"]) * 1024**power)


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("it must be a whole number") from None


def _truth(text: str) -> bool:
    known = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in known:
        raise ValueError("it is `true` or `false`")
    return known[text.lower()]


def _cpus(text: str) -> int:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise ValueError("it must be a number of processors, such as `1.5`")
    return round(number * 1e9)


def _pair(text: str) -> dict[str, str]:
    name, _, value = text.partition("=")
    return {name: value}


def _tmpfs(text: str) -> dict[str, str]:
    path, _, options = text.partition(":")
    if not path.startswith("/"):
        raise ValueError("it is an absolute path in the container, with `:options` after it")
    return {path: options}


def _device(text: str) -> list[dict[str, str]]:
    host, inside, rights, *more = (*text.split(":"), "", "")[: max(3, text.count(":") + 1)]
    if more or not host:
        raise ValueError("it is `path`, `path:path` or `path:path:rwm`")
    if inside and not rights and set(inside) <= set("rwm"):
        inside, rights = "", inside
    return [{"PathOnHost": host, "PathInContainer": inside or host, "CgroupPermissions": rights or "rwm"}]


def _ulimit(text: str) -> list[dict[str, str | int]]:
    name, _, limits = text.partition("=")
    soft, _, hard = limits.partition(":")
    if not name or not limits:
        raise ValueError("it is `name=soft:hard`")
    return [{"Name": name, "Soft": _whole(soft), "Hard": _whole(hard or soft)}]


def _gpus(text: str) -> Any:
    """`all`, a number, or `device=0,1` and `capabilities=utility` in CSV's quotes, as Docker's own reader."""
    wanted: dict[str, Any] = {"Driver": "", "Count": 0, "DeviceIDs": [], "Capabilities": [["gpu"]]}
    for field in re.findall(r'"[^"]*"|[^,]+(?:=\d+(?:,\d+)+)?', text.strip("'")):
        key, equals, value = field.strip('"').partition("=")
        if not equals:
            wanted["Count"] = -1 if key == "all" else _whole(key)
        elif key == "device":
            wanted["DeviceIDs"] = value.split(",")
        elif key == "count":
            wanted["Count"] = -1 if value == "all" else _whole(value)
        elif key == "capabilities":
            wanted["Capabilities"] = [[*value.split(","), "gpu"]]
        elif key == "driver":
            wanted["Driver"] = value
        else:
            raise ValueError(f"there is no `{key}` in it")
    if wanted["Count"] == 0 and not wanted["DeviceIDs"]:
        raise ValueError("it is `all`, a number, or `device=0`")
    return [wanted]


def _mount(text: str) -> list[dict[str, Any]]:
    names = {"type": "Type", "source": "Source", "src": "Source", "target": "Target"}
    names |= {"destination": "Target", "dst": "Target"}
    made: dict[str, Any] = {"Type": "volume"}
    for field in text.split(","):
        key, equals, value = field.partition("=")
        if key in ("readonly", "ro"):
            made["ReadOnly"] = not equals or _truth(value)
        elif key in names:
            made[names[key]] = value
        else:
            raise ValueError(f"`{key}` is not understood")
    if "Target" not in made:
        raise ValueError("it names no `target`")
    return [made]


_PORT = re.compile(r"(?:(?:(?P<ip>\[[^]]+\]|[\d.]+):)?(?P<host>\d*):)?(?P<inside>\d+(?:/(?:tcp|udp|sctp))?)")


def _published(text: str) -> dict[str, list[dict[str, str]]]:
    match = _PORT.fullmatch(text)
    if match is None:
        raise ValueError("it is `[address:]port:port`")
    inside = match["inside"] if "/" in match["inside"] else f"{match['inside']}/tcp"
    return {inside: [{"HostIp": (match["ip"] or "").strip("[]"), "HostPort": match["host"] or ""}]}


def _exposed(text: str) -> dict[str, dict[str, str]]:
    return {text if "/" in text else f"{text}/tcp": {}}


def _entrypoint(text: str) -> list[str]:
    return [text] if text else []


def _nothing(text: str) -> list[str]:
    if not _truth(text):
        raise ValueError("leave it out then")
    return ["NONE"]


def _host(key: str, read: Callable[[str], Any] = str, *, many: bool = False, flag: bool = False) -> _Option:
    return _Option(("HostConfig", key), read, many, flag)


OPTIONS: Mapping[str, _Option] = {
    "add-host": _host("ExtraHosts", many=True),
    "blkio-weight": _host("BlkioWeight", _whole),
    "cap-add": _host("CapAdd", many=True),
    "cap-drop": _host("CapDrop", many=True),
    "cgroup-parent": _host("CgroupParent"),
    "cgroupns": _host("CgroupnsMode"),
    "cpu-period": _host("CpuPeriod", _whole),
    "cpu-quota": _host("CpuQuota", _whole),
    "cpu-rt-period": _host("CpuRealtimePeriod", _whole),
    "cpu-rt-runtime": _host("CpuRealtimeRuntime", _whole),
    "cpu-shares": _host("CpuShares", _whole),
    "cpus": _host("NanoCpus", _cpus),
    "cpuset-cpus": _host("CpusetCpus"),
    "cpuset-mems": _host("CpusetMems"),
    "device": _host("Devices", _device, many=True),
    "device-cgroup-rule": _host("DeviceCgroupRules", many=True),
    "dns": _host("Dns", many=True),
    "dns-option": _host("DnsOptions", many=True),
    "dns-search": _host("DnsSearch", many=True),
    "domainname": _Option(("Domainname",), str),
    "entrypoint": _Option(("Entrypoint",), _entrypoint),
    "env": _Option(("Env",), str, many=True),
    "expose": _Option(("ExposedPorts",), _exposed, many=True),
    "gpus": _host("DeviceRequests", _gpus, many=True),
    "group-add": _host("GroupAdd", many=True),
    "hostname": _Option(("Hostname",), str),
    "init": _host("Init", _truth, flag=True),
    "ipc": _host("IpcMode"),
    "isolation": _host("Isolation"),
    "label": _Option(("Labels",), _pair, many=True),
    "link": _host("Links", many=True),
    "log-driver": _host("LogConfig", lambda text: {"Type": text}),
    "mac-address": _Option(("MacAddress",), str),
    "memory": _host("Memory", _size),
    "memory-reservation": _host("MemoryReservation", _size),
    "memory-swap": _host("MemorySwap", _size),
    "memory-swappiness": _host("MemorySwappiness", _whole),
    "mount": _host("Mounts", _mount, many=True),
    "network": _host("NetworkMode"),
    "no-healthcheck": _Option(("Healthcheck", "Test"), _nothing, flag=True),
    "oom-kill-disable": _host("OomKillDisable", _truth, flag=True),
    "oom-score-adj": _host("OomScoreAdj", _whole),
    "pid": _host("PidMode"),
    "pids-limit": _host("PidsLimit", _whole),
    "platform": _Option(("platform",), str),
    "privileged": _host("Privileged", _truth, flag=True),
    "publish": _host("PortBindings", _published, many=True),
    "publish-all": _host("PublishAllPorts", _truth, flag=True),
    "read-only": _host("ReadonlyRootfs", _truth, flag=True),
    "runtime": _host("Runtime"),
    "security-opt": _host("SecurityOpt", many=True),
    "shm-size": _host("ShmSize", _size),
    "storage-opt": _host("StorageOpt", _pair, many=True),
    "sysctl": _host("Sysctls", _pair, many=True),
    "tmpfs": _host("Tmpfs", _tmpfs, many=True),
    "ulimit": _host("Ulimits", _ulimit, many=True),
    "user": _Option(("User",), str),
    "userns": _host("UsernsMode"),
    "uts": _host("UTSMode"),
    "volumes-from": _host("VolumesFrom", many=True),
    "workdir": _Option(("WorkingDir",), str),
}
"""What `docker run` has and a run can be given, and what it is called in the request."""
