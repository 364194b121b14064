from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlproj.model.digest import Digest
from mlproj.store.leases import held_lease, read_leases
from tests.store.test_folder import without_override

HOLD = """
import sys, time
from pathlib import Path
from mlproj.store.leases import held_lease
with held_lease(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""

LOOK = """
import sys
from pathlib import Path
from mlproj.store.leases import read_leases
print(read_leases(Path(sys.argv[1])).since)
"""


def test_a_lease_says_since_when_and_on_what_its_holder_relies(tmp_path: Path) -> None:
    assert read_leases(tmp_path).since is None
    before = time.time()
    with held_lease(tmp_path) as outer, held_lease(tmp_path) as inner:
        outer.name(Digest.of(b"one"))
        inner.name(Digest.of(b"two"))
        inner.name(Digest.of(b"three"))
        leased = read_leases(tmp_path)
        assert leased.since is not None and leased.since < before + 1
        assert leased.keeps(time.time()) and not leased.keeps(before - 60)
        assert leased.manifests == {Digest.of(content) for content in (b"one", b"two", b"three")}
    assert read_leases(tmp_path).since is None
    assert list(tmp_path.iterdir()) == []


def test_a_lease_that_cannot_be_asked_counts_as_held(tmp_path: Path) -> None:
    lease = tmp_path / "lease-0123"
    lease.write_text("1000.0\n")
    lease.chmod(0o400)
    command = [sys.executable, "-c", LOOK, str(tmp_path)]
    without = without_override if os.geteuid() == 0 else None
    done = subprocess.run(command, preexec_fn=without, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "998.0\n"
    assert lease.exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_lease_ends_with_the_process_that_holds_it(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        assert read_leases(tmp_path).since is not None
        os.kill(holder.pid, number)
        holder.wait()
    assert read_leases(tmp_path).since is None
    assert list(tmp_path.iterdir()) == [], "nothing is left lying"
