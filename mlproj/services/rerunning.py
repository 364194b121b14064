"""What is asked of a recorded run that is done again, and the request that this makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from mlproj.errors import DataError, Refused, UsageError
from mlproj.model.bundle import ENVIRONMENT, IMAGE
from mlproj.model.digest import Digest
from mlproj.model.environment import ImageState, Isolation, RecordedLock
from mlproj.model.plan import Plan
from mlproj.model.project import ParameterType
from mlproj.model.run import NO_HOOK, NO_TRACKING, SCRIPT_TRACKING, STRICT, EnvironmentState, Run, Status
from mlproj.model.source import Checkout
from mlproj.model.tolerance import Named
from mlproj.services.bringing import Bringer
from mlproj.services.importing import attached, is_brought
from mlproj.services.recorded_world import recorded_variables
from mlproj.services.request import RunRequest, Tools
from mlproj.spec.docker_arguments import BUILD, parse_arguments
from mlproj.store_ports import RunStore

OUTSIDE = "input:"
"""Begins the spelling of a path in a plan whose data lay outside of the project."""

MANAGERS = {"system": "local", "virtualenv": "virtualenv", "conda": "conda", "docker": None}
"""What `--env-manager` calls each kind of environment."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A run to do again, as it was meant. `caller` is the folder it was asked from, `environ` its variables.

    `parameters`, `override_data` (by name) and `override_env` (a lock file) make it another run on purpose;
    `data` says where inputs are, by name, and `places` where to look for any. `tolerances` go before those
    of the project. It is done `times` times; `offline` nothing is fetched; `from_git` has the source fetched.
    It is `isolated`, where that is None, if it can be; `allow_network` leaves it the network.
    """

    run: Run
    caller: Path
    environ: Mapping[str, str]
    parameters: Mapping[str, str] = msgspec.field(default_factory=dict)
    data: Mapping[str, Path] = msgspec.field(default_factory=dict)
    places: tuple[Path, ...] = ()
    override_data: Mapping[str, Path] = msgspec.field(default_factory=dict)
    override_env: Path | None = None
    tolerances: tuple[Named, ...] = ()
    times: int = 1
    offline: bool = False
    from_git: bool = False
    isolated: bool | None = None
    allow_network: bool = False


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run is done again: its source, a folder for what is brought beside that, and whether it is to
    see nothing else."""

    checkout: Checkout
    aside: Path
    isolation: Isolation | None


def again(wish: Wish, scene: Scene, bringer: Bringer, store: RunStore, tools: Tools) -> RunRequest:
    """The request that has the recorded run done again in a scene, with its data brought there.

    Raises ProjectError where data is not to be had, and UsageError.
    """
    checkout = scene.checkout
    run = wish.run
    plan, job = run.plan, run.job
    assert plan is not None and job is not None
    logged = None if run.outcome is None else run.outcome.logged
    parameters, brought = _brought(wish, bringer)
    kind = job.environment.kind
    return RunRequest(
        uri=job.uri,
        caller=checkout.directory,
        environ=recorded_variables(run, wish.environ, tools.observer),
        entry_point=plan.entry_point,
        parameters={**parameters, **_varied(wish, plan)},
        environment_manager=MANAGERS[kind],
        # Beside the original, whose script may have moved it.
        experiment=(logged.experiment if logged is not None else None) or job.experiment,
        inputs=tuple(brought),
        outputs=plan.outputs,
        timeout=plan.timeout,
        experiment_given=True,
        docker_arguments=parse_arguments(_options(job.environment)),
        recorded=None if kind == "system" else recorded_lock(wish, job.environment, store, scene),
        reproduces=run.run_id,
        isolation=scene.isolation,
        brought=brought,
        tracking=NO_TRACKING not in job.switches,
        script_tracking=SCRIPT_TRACKING in job.switches,
        hook=NO_HOOK not in job.switches,
        # One that failed by it would fail before there is anything to compare.
        strict_inputs=STRICT in job.switches and run.status is Status.FINISHED,
    )


def _options(state: EnvironmentState) -> tuple[str, ...]:
    """The options that the container had. Of what its image was built with the values are in no record; they
    are in the image."""
    return tuple(option for option in state.options if option.partition("=")[0] != BUILD)


def _brought(wish: Wish, bringer: Bringer) -> tuple[dict[str, str], dict[str, Path]]:
    """The parameters as they are given to the run, and where the further inputs are."""
    plan, job = wish.run.plan, wish.run.job
    assert plan is not None and job is not None
    texts = {item.name: item.text for item in plan.parameters if item.text is not None}
    paths = {item.name for item in plan.parameters if item.type is ParameterType.PATH}
    known = {state.name for state in job.inputs if state.digest is not None}
    for name in sorted(paths & texts.keys() - known - wish.parameters.keys()):
        raise Refused(f"the record names no data for the parameter `{name}`, which is a path")
    brought: dict[str, Path] = {}
    for state in job.inputs:
        if state.digest is None:
            continue
        text = texts.get(state.name) if state.name in paths else None
        if text is not None:
            inside = None if text.startswith(OUTSIDE) else text
            place = bringer.bring(state, inside)
            texts[state.name] = str(place) if inside is None else text
        else:
            outside = state.path.startswith(("/", "../")) or "://" in state.path
            place = bringer.bring(state, None if outside else state.path)
            brought[state.name] = place
    return texts, brought


def _varied(wish: Wish, plan: Plan) -> dict[str, str]:
    """The parameters that are to be others; a path is the caller's."""
    kinds = {item.name: item.type for item in plan.parameters}
    varied = {}
    for name, text in wish.parameters.items():
        beside = wish.caller / text
        is_path = kinds.get(name) is ParameterType.PATH and beside.exists()
        varied[name] = str(beside.absolute()) if is_path else text
    return varied


def recorded_lock(wish: Wish, state: EnvironmentState, store: RunStore, scene: Scene) -> RecordedLock:
    """The lock to take, with what a bundle brought of it laid out aside.

    Nothing of a lock that came in a bundle is built where the run is isolated: that would run code of its
    packages outside. Raises UsageError for one of another kind that is to be taken instead.
    """
    because = f"the lock of run `{wish.run.run_id}`"
    image = state.image
    if wish.override_env is not None:
        text, because = _read(wish.override_env), f"the lock in `{wish.override_env}`"
        image = None if state.kind != "docker" else _image(text, wish.override_env)
    elif state.lock_file is None or state.lock_file not in store.blobs:
        raise DataError("the store does not hold the lock of the run's environment")
    else:
        text = store.blobs.path(state.lock_file).read_bytes()
    artifacts, archive = _attached(wish, store, scene.aside)
    return RecordedLock(
        artifacts=artifacts,
        archive=archive,
        format=state.lock_format or "",
        text=text,
        python=state.python,
        because=because,
        image=image,
        offline=wish.offline,
        unbuilt=scene.isolation is not None and wish.override_env is None and is_brought(wish.run),
    )


def _attached(wish: Wish, store: RunStore, aside: Path) -> tuple[Path | None, Path | None]:
    """A folder with the packages that came with the run, by their names, and the image that did."""
    brought = attached(store, wish.run)
    folder = aside / "packages"
    for path, digest in brought.items():
        place, _, name = path.partition("/")
        if place == ENVIRONMENT and "/" not in name:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to(store.blobs.path(digest))
    images = [digest for path, digest in brought.items() if path.startswith(f"{IMAGE}/")]
    archive = store.blobs.path(images[0]) if images else None
    return (folder if folder.is_dir() else None), archive


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"`--override-env {path}` cannot be read: {error.strerror}") from error


class _ImageLock(msgspec.Struct, frozen=True):
    """What of a lock of an image says which one it is."""

    image: str
    id: str
    digest: str | None = None


def _image(text: bytes, path: Path) -> ImageState:
    try:
        found = msgspec.json.decode(text, type=_ImageLock)
        Digest(found.id)
    except ValueError as error:
        raise UsageError(
            f"`{path}` is no lock of an image: {error}", hint="`mlproj env lock` writes one"
        ) from error
    return ImageState(name=found.image, id=found.id, digest=found.digest)
