"""Who can tell whether a run is alive: the kernel that holds its lock, and nobody else."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """This host and its current boot. Containers on one kernel share the boot, not the host's name."""

    host: str
    boot_id: str

    def can_judge(self, host: str | None, boot_id: str | None) -> bool:
        """Whether a run that was begun there would show its lock here, or died with an earlier boot."""
        return host == self.host or (bool(self.boot_id) and boot_id == self.boot_id)


def this_machine() -> Machine:
    try:
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot_id = ""
    return Machine(host=os.uname().nodename, boot_id=boot_id)
