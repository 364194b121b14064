"""Kills the process that loads it when it is about to touch the world for the Nth time.

Python tells an audit hook (PEP 578) of every file that is opened, renamed or removed, of every program that
is started, and of much else. The variable MLPROJ_STRESS_KILL_AT says at which of these events, counted from
when mlproj's own work begins, the process ends by SIGKILL; with 0 it goes on, and the number of events is
written to the file MLPROJ_STRESS_COUNT.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from typing import Any

AT = int(os.environ.pop("MLPROJ_STRESS_KILL_AT", "-1"))
COUNT = os.environ.pop("MLPROJ_STRESS_COUNT", "")
TOUCHES = frozenset(
    (
        *("open", "os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate"),
        *("os.utime", "fcntl.flock", "subprocess.Popen", "sqlite3.connect", "shutil.rmtree"),
    )
)
_seen = 0


def hook(event: str, arguments: tuple[Any, ...]) -> None:
    global _seen
    if event not in TOUCHES or "mlproj.wiring" not in sys.modules or _is_import(event, arguments):
        return
    _seen += 1
    if _seen == AT:
        os.kill(os.getpid(), signal.SIGKILL)


def _is_import(event: str, arguments: tuple[Any, ...]) -> bool:
    return event == "open" and isinstance(arguments[0], str) and arguments[0].endswith((".py", ".pyc"))


def _write_count() -> None:
    with open(COUNT, "w") as file:
        file.write(str(_seen))


if AT >= 0:
    if COUNT:
        atexit.register(_write_count)
    sys.addaudithook(hook)
