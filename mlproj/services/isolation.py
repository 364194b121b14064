"""Whether runs can be isolated on this machine, and what a run that failed may have missed in there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from mlproj.model.environment import CONFINER, Isolation
from mlproj.model.run import STREAMS
from mlproj.ports import Execution
from mlproj.process import run

_TRIAL = (
    *("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net"),
    *("--cap-drop", "ALL", "--as-pid-1", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true"),
)
_SWITCHES = (
    (
        "kernel/unprivileged_userns_clone",
        "0",
        "the kernel lets nobody but root make user namespaces (`sysctl kernel.unprivileged_userns_clone=1`)",
    ),
    (
        "user/max_user_namespaces",
        "0",
        "the kernel allows no user namespaces (`sysctl user.max_user_namespaces=10000`)",
    ),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "AppArmor keeps programs from making user namespaces unless a profile allows it (Ubuntu has one for"
        " bubblewrap in `apparmor-profiles`, or `sysctl kernel.apparmor_restrict_unprivileged_userns=0`)",
    ),
)
_CONTAINERS = ("/.dockerenv", "/run/.containerenv")
_WITHOUT_NETWORK = re.compile(
    rb"name resolution|name or service not known|network is unreachable|no address associated"
    rb"|could not resolve|couldn't resolve|nameresolutionerror|\benotfound\b|eai_again|nodename nor servname"
    rb"|failed to resolve|enetunreach|network unreachable|connection refused|\beconnrefused\b",
    re.IGNORECASE,
)
_END = 64 * 1024


def possible() -> str | None:
    """Why no run can be isolated here, in a few words; None where it can. Tries it, in some milliseconds."""
    if not os.path.isdir("/proc/self/ns"):
        return "only Linux has the namespaces for it"
    program = shutil.which(CONFINER)
    if program is None:
        return "bubblewrap is not installed (the package `bubblewrap`)"
    try:
        answer = run((program, *_TRIAL), timeout=10)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap cannot be run: {error}"
    if answer.code == 0:
        return None
    return _reason(answer.complaint.rpartition("\n")[2] or f"bubblewrap ends with code {answer.code}")


def _reason(complaint: str) -> str:
    if os.getuid() != 0:
        for name, value, reason in _SWITCHES:
            if _setting(name) == value:
                return f"{reason}: {complaint}"
    elif _setting(_SWITCHES[1][0]) == "0":
        return f"{_SWITCHES[1][2]}: {complaint}"
    if any(map(os.path.exists, _CONTAINERS)):
        return (
            "the container that mlproj is in does not allow it (Docker's `--security-opt seccomp=unconfined"
            f" --security-opt systempaths=unconfined` would): {complaint}"
        )
    return complaint


def _setting(name: str) -> str | None:
    try:
        return Path("/proc/sys", name).read_text().strip()
    except OSError:
        return None


def advice(isolation: Isolation | None, execution: Execution, logs: Path) -> str:
    """What is to be said beside why a run failed: that it had no network, where it seems to miss it."""
    if isolation is None or isolation.network or execution.exit_code == 0 or execution.interrupted:
        return ""
    if not any(_misses_network(logs / stream) for stream in STREAMS):
        return ""
    return "; it had no network, which it seems to have wanted: `--allow-network` gives it one"


def _misses_network(log: Path) -> bool:
    """Whether what a run said at last is what programs say that find no network."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _END))
            return _WITHOUT_NETWORK.search(file.read()) is not None
    except OSError:
        return False
