"""Says in a line which engine containers would run in here, and what it can."""

from __future__ import annotations

from collections.abc import Mapping

from mlproj.engine import engine, is_remote, is_rootless


def described(environ: Mapping[str, str]) -> str:
    """The engine's kind, version, and what a run would find there. Raises EnvironmentFailed where none is."""
    with engine(environ, timeout=10) as client:
        version, info = client.version(), client.info()
    components = version.get("Components") or ()
    podman = any("podman" in str(part.get("Name", "")).lower() for part in components)
    facts = [f"{info.get('Images', 0)} images in {info.get('DockerRootDir') or 'its own folder'}"]
    facts += ["rootless"] if is_rootless(info) else []
    facts += ["GPUs by `-A gpus`"] if "nvidia" in (info.get("Runtimes") or {}) else []
    facts += ["on another machine, which cannot see our files"] if is_remote(environ) else []
    return f"{'Podman' if podman else 'Docker'} {version.get('Version', '')}: {', '.join(facts)}"
