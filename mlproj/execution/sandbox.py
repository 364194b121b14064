"""What an isolated run sees of this machine, in the arguments of bubblewrap."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from mlproj.model.environment import HOME_IN_ISOLATION, Confinement, Mount

_SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_SETTINGS = (
    "alternatives",
    "ca-certificates",
    "crypto-policies",
    "fonts",
    "group",
    "gai.conf",
    "host.conf",
    "hosts",
    "java*",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "locale.conf",
    "localtime",
    "magic",
    "mime.types",
    "nsswitch.conf",
    "OpenCL",
    "os-release",
    "passwd",
    "pki",
    "protocols",
    "R",
    "services",
    "ssl",
    "timezone",
    "vulkan",
)
"""What programs of the system read in `/etc`. Keys of a server lie in `ssl` too, for root alone."""
_NAMES = "resolv.conf"
_PRIVATE_KEYS = ("/etc/ssl/private", "/etc/pki/tls/private")
_PROCESSORS = ("/sys/devices/system", "/sys/fs/cgroup")
"""By which libraries find out how many threads to start."""
_GPUS = ("/dev/nvidia*", "/dev/kfd", "/dev/dri")
_FURTHER = ("/nix/store", "/var/cache/fontconfig")


def arguments(
    confinement: Confinement, mounts: Sequence[Mount], directory: Path, private: Path
) -> Iterator[str]:
    """All but the program to be run. `private` is a folder of the run's own, for what it takes for its home
    and for temporary files: on the disk, since memory would be too small for what some scripts put there."""
    yield from ("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
    if not confinement.network:
        yield "--unshare-net"
    # Root outside is nobody's root in there: what others own cannot be changed.
    yield from ("--cap-drop", "ALL", "--die-with-parent", "--as-pid-1")
    yield from _system(confinement.network)
    yield from ("--proc", "/proc", "--dev", "/dev")
    yield from _devices()
    for name, target in (("tmp", "/tmp"), ("home", HOME_IN_ISOLATION)):
        (private / name).mkdir()
        yield from ("--bind", str(private / name), target)
    yield from ("--symlink", "../tmp", "/var/tmp")
    yield from _seen(confinement, mounts)
    yield from ("--chdir", str(directory), "--")


def _system(network: bool) -> Iterator[str]:
    yield from ("--ro-bind", "/usr", "/usr")
    for name in _SYSTEM:
        if os.path.islink(f"/{name}"):
            yield from ("--symlink", os.readlink(f"/{name}"), f"/{name}")
        elif os.path.isdir(f"/{name}"):
            yield from _as_it_is(f"/{name}")
    for pattern in (*_SETTINGS, *((_NAMES,) if network else ())):
        for path in glob.iglob(f"/etc/{pattern}"):
            yield from _as_it_is(path)
    for path in filter(os.path.isdir, _PRIVATE_KEYS):
        yield from ("--tmpfs", path)
    for path in filter(os.path.exists, _FURTHER):
        yield from _as_it_is(path)


def _devices() -> Iterator[str]:
    gpus = [path for pattern in _GPUS for path in glob.iglob(pattern)]
    for path in gpus:
        yield from ("--dev-bind", path, path)
    for path in ("/sys",) if gpus else filter(os.path.isdir, _PROCESSORS):
        yield from _as_it_is(path)


def _seen(confinement: Confinement, mounts: Sequence[Mount]) -> Iterator[str]:
    """What lies in another comes after it; of what lies at one place the last one counts."""
    # A device that may not be opened, and no regular file, stands where a file is hidden.
    places: dict[str, tuple[str, ...]] = {
        hidden: ("--tmpfs", hidden) if os.path.isdir(hidden) else ("--ro-bind", "/dev/null", hidden)
        for hidden in confinement.hidden
    }
    for mount in mounts:
        kind = "--ro-bind" if mount.read_only else "--bind"
        places[mount.target] = (kind, mount.source, mount.target)
    for place in sorted(places, key=lambda path: path.rstrip("/").count("/")):
        yield from places[place]
    # What is made on the way to all of this is nobody's to write to.
    for place in ("/", *confinement.hidden):
        if places.get(place, ("--tmpfs",))[0] == "--tmpfs":
            yield from ("--remount-ro", place)


def _as_it_is(path: str) -> tuple[str, str, str]:
    return "--ro-bind", path, path
