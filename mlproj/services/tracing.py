"""Has a run's record say what it really read: begins to look before the command starts, and tells afterwards.

Beside the variables of `services.hook`, the command of a run finds

    MLPROJ_READS           when the run began, in nanoseconds, and the folder for what its Pythons open
    MLPROJ_TRACE           `off` where nobody looks, for the steps that it begins with mlproj
    MLPROJ_STRICT_INPUTS   1: an input that nobody declared fails those as well
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from mlproj.errors import EnvironmentFailed, Refused, UsageError
from mlproj.model.environment import Container, Mount
from mlproj.model.events import Ended, Started
from mlproj.model.notes import undeclared
from mlproj.model.provenance import InputState, Tracing
from mlproj.planning.containers import CODE, HOOK, READS
from mlproj.ports import Recorded, Tracer
from mlproj.services import hook
from mlproj.services.prepare import Prepared
from mlproj.services.request import Context, RunRequest

WAYS = ("python", "full", "off")
_VARIABLE = "MLPROJ_READS"
_OURS = hook.FOLDER.parent.parent
"""Our own modules, which a step's mlproj imports, and the hook is one of."""
_NO_HOOK = "nobody looked: `--no-hook`"


class Watch:
    """Looks at one command. `reads` and `tracing` are for its outcome."""

    def __init__(self, context: Context, prepared: Prepared, logs: Path) -> None:
        self._context = context
        self._prepared = prepared
        self.folder = logs / "reads"
        self._tracer = _tracer(context, prepared)
        self._noted: dict[str, str] = {}
        self._mounts: tuple[tuple[str, str], ...] | None = None
        self.reads: tuple[InputState, ...] = ()
        without = _has_no_hook(context.request) and context.request.trace == "python"
        self.tracing = Tracing(means=None, escaped=(_NO_HOOK,)) if without else None

    def begin(self) -> None:
        """To be called right before the command is started: what is older then is not the run's own work."""
        if self._tracer is not None:
            self._noted = self._tracer.begin(self.folder)

    def argv(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        return argv if self._tracer is None else self._tracer.argv(argv)

    def variables(self, environ: Mapping[str, str]) -> dict[str, str | None]:
        """The changes to `environ`, where None takes a variable away."""
        request = self._context.request
        changes: dict[str, str | None] = {
            _VARIABLE: None,
            "MLPROJ_TRACE": "off" if request.trace == "off" else None,
            "MLPROJ_STRICT_INPUTS": "1" if request.strict_inputs else None,
            **self._noted,
        }
        if _VARIABLE in self._noted:
            changes["PYTHONPATH"] = hook.python_path(environ.get("PYTHONPATH"))
        return changes

    def contained(
        self, container: Container, environ: dict[str, str], mounts: tuple[Mount, ...]
    ) -> tuple[dict[str, str], tuple[Mount, ...]]:
        """Variables and mounts of a container, with those that are needed for looking into it."""
        if _VARIABLE not in self._noted:
            return environ, mounts
        seen = (*mounts, Mount(source=str(self._context.checkout.directory), target=CODE))
        self._mounts = (*((mount.target, mount.source) for mount in seen), *_volumes(container))
        begun, _, _ = self._noted[_VARIABLE].partition(":")
        start = f"{HOOK}/start"
        inherited = environ.get("PYTHONPATH")
        others = [entry for entry in inherited.split(os.pathsep) if entry != start] if inherited else []
        own = {_VARIABLE: f"{begun}:{READS}", "PYTHONPATH": os.pathsep.join([start, *others])}
        return {**environ, **own}, (*mounts, Mount(source=str(self.folder), target=READS))

    def end(self, store: Path) -> None:
        """Finds out what was read. Raises nothing but what a full disk or an interrupt does."""
        if self._tracer is None:
            return
        self._context.report(Started(stage="trace"))
        traced = self._tracer.end(self._recorded(store), self._context.report)
        self.reads = traced.reads
        self.tracing = replace(traced.tracing, written=tuple(self._undeclared(traced.tracing.written)))
        self._context.report(Ended(stage="trace"))

    def _undeclared(self, written: tuple[str, ...]) -> Iterator[str]:
        products = self._prepared.products
        for path in written:
            if not any(path == product or path.startswith(f"{product}/") for product in products):
                yield path

    def refuse(self) -> None:
        """Raises Refused where a run that was to read nothing but what is declared has read something."""
        if self._context.request.strict_inputs and self.reads:
            raise Refused(
                f"the run read what nobody declared: {undeclared(self.reads)}",
                hint="declare it under `inputs:` of the entry point or by `--input`, or leave out"
                " `--strict-inputs`",
            )

    def _recorded(self, store: Path) -> Recorded:
        request, tools = self._context.request, self._context.tools
        directory = self._context.checkout.directory
        inputs = (directory / state.path for state in self._prepared.job.inputs if state.kind != "uri")
        places = [store, tools.cache, _OURS, *inputs]
        if request.storage is not None:
            places.append(request.storage)
        if pyenv := request.environ.get("PYENV_ROOT") or request.environ.get("HOME"):
            places.append(Path(pyenv) if "PYENV_ROOT" in request.environ else Path(pyenv, ".pyenv"))
        return Recorded(
            project=directory,
            snapshot=self._prepared.snapshot,
            paths=tuple(places),
            mounts=self._mounts,
        )


def check(request: RunRequest) -> None:
    """Raises UsageError where what is asked for excludes itself."""
    if request.trace not in WAYS:
        raise UsageError(f"`--trace` is no `{request.trace}`", hint=f"one of {', '.join(WAYS)}")
    if request.strict_inputs and (request.trace == "off" or (request.trace == "python" and not request.hook)):
        option = "--trace=off" if request.trace == "off" else "--no-hook"
        raise UsageError(
            f"`--strict-inputs` and `{option}` exclude each other: what is read would not be seen",
            hint=f"leave out `{option}`",
        )


def _tracer(context: Context, prepared: Prepared) -> Tracer | None:
    request, tools = context.request, context.tools
    if request.trace == "full" and prepared.job.environment.kind == "docker":
        raise EnvironmentFailed(
            "`--trace=full` does not see into a container",
            hint="leave it out: what Python programs open in there is seen without it",
        )
    wanted = request.trace == "full" or (request.trace == "python" and not _has_no_hook(request))
    if tools.tracer is None or not wanted:
        return None
    return tools.tracer(request.trace)


def _has_no_hook(request: RunRequest) -> bool:
    return not request.hook or bool(request.environ.get("MLPROJ_NO_HOOK"))


def _volumes(container: Container) -> Iterator[tuple[str, str]]:
    """What the project mounts itself, as far as it is of this machine."""
    for volume in container.volumes:
        source, _, rest = volume.partition(":")
        if source.startswith("/") and rest:
            yield rest.partition(":")[0], source
