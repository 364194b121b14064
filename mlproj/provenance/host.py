"""The machine a run is on, read from where the system keeps it, quickly."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from mlproj.files import write_atomically
from mlproj.model.provenance import Gpu, Host
from mlproj.process import ProgramMissing, run

_QUERY = ("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader,nounits")
_PATIENCE = 10.0
_VECTOR = ("sse", "ssse", "avx", "fma", "f16c", "amx", "asimd", "sve", "neon")
_CONTAINER_WORDS = (("kubepods", "kubernetes"), ("docker", "docker"), ("libpod", "podman"), ("/lxc/", "lxc"))


class _GpuNote(msgspec.Struct):
    """What `nvidia-smi` said since the machine was started; asking takes it a second."""

    boot: str
    visible: str
    gpus: list[Gpu]


def observed_host(environ: Mapping[str, str], cache: Path) -> Host:
    """The machine as it is; `cache` keeps what the GPU driver said until the next start of the machine."""
    names = os.uname()
    return Host(
        name=names.nodename,
        system=names.sysname,
        release=names.release,
        machine=names.machine,
        cpu=_cpu() or names.machine,
        cores=os.cpu_count() or 1,
        memory_bytes=_memory(),
        libc=_libc(),
        container=_container(environ),
        gpus=_gpus(environ, cache),
        features=_features(),
        threads=_threads(),
    )


def read_gpus(text: str) -> tuple[Gpu, ...]:
    """The GPUs in the table that `nvidia-smi` prints (name, driver, memory in MiB); odd lines left out."""
    gpus = []
    for line in text.splitlines():
        fields = [field.strip() for field in line.rsplit(",", 2)]
        if len(fields) == 3:
            memory = int(fields[2]) << 20 if fields[2].isdecimal() else 0
            gpus.append(Gpu(name=fields[0], driver=fields[1], memory_bytes=memory))
    return tuple(gpus)


def _cpu() -> str | None:
    if sys.platform == "darwin":
        return _output(("sysctl", "-n", "machdep.cpu.brand_string"))
    head = _read("/proc/cpuinfo", 4096)
    fields = dict(line.partition(":")[::2] for line in head.splitlines())
    named = {name.strip(): value.strip() for name, value in fields.items()}
    return named.get("model name") or named.get("Model") or named.get("cpu model") or None


def _features() -> tuple[str, ...]:
    """Of all that Linux tells of the processor, what numerical libraries ask for."""
    head = _read("/proc/cpuinfo", 16384)
    told = next((line for line in head.splitlines() if line.startswith(("flags", "Features"))), "")
    return tuple(sorted(word for word in set(told.partition(":")[2].split()) if word.startswith(_VECTOR)))


def _threads() -> int | None:
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        return None


def _memory() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return 0


def _libc() -> str | None:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError):
        return next((path.name for path in Path("/lib").glob("ld-musl-*")), None)


def _container(environ: Mapping[str, str]) -> str | None:
    if "KUBERNETES_SERVICE_HOST" in environ:
        return "kubernetes"
    if environ.keys() & {"APPTAINER_CONTAINER", "SINGULARITY_CONTAINER"}:
        return "apptainer"
    if os.path.exists("/run/.containerenv"):
        return "podman"
    if os.path.exists("/.dockerenv"):
        return "docker"
    groups = _read("/proc/1/cgroup", 4096)
    return next((kind for word, kind in _CONTAINER_WORDS if word in groups), None) or environ.get("container")


def _gpus(environ: Mapping[str, str], cache: Path) -> tuple[Gpu, ...]:
    if shutil.which("nvidia-smi", path=environ.get("PATH")) is None:
        return ()
    boot = _read("/proc/sys/kernel/random/boot_id", 64).strip()
    visible = environ.get("NVIDIA_VISIBLE_DEVICES", "")
    note = cache / "gpus.json"
    try:
        known = msgspec.json.decode(note.read_bytes(), type=_GpuNote)
        if boot and (known.boot, known.visible) == (boot, visible):
            return tuple(known.gpus)
    except (OSError, msgspec.DecodeError):
        pass
    gpus = read_gpus(_output(_QUERY) or "")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        write_atomically(
            note, msgspec.json.encode(_GpuNote(boot=boot, visible=visible, gpus=list(gpus))), sync=False
        )
    except OSError:
        pass  # asked again next time
    return gpus


def _output(command: tuple[str, ...]) -> str | None:
    try:
        done = run(command, timeout=_PATIENCE)
    except (ProgramMissing, OSError, subprocess.TimeoutExpired):
        return None
    return done.text if done.code == 0 else None


def _read(path: str, length: int) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(length)
    except OSError:
        return ""
