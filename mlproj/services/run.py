"""`mlproj run`: fetch, prepare, begin, build, execute, collect, seal. Whatever happens, the run is closed."""

from __future__ import annotations

import contextlib
import importlib
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec.structs import replace

from mlproj.errors import DataError, Interrupted, ProjectError, UsageError
from mlproj.model.events import Report
from mlproj.model.names import run_name
from mlproj.model.redaction import without_credentials
from mlproj.model.run import Run
from mlproj.services.attempt import Attempt
from mlproj.services.claims import VARIABLE as CLAIMS
from mlproj.services.claims import claim
from mlproj.services.configured import configured_server, experiment_at, is_same_server, outer_run
from mlproj.services.fetching import fetched
from mlproj.services.interrupts import interruptible
from mlproj.services.mirror import Place, mirrored, opened
from mlproj.services.prepare import Prepared, prepare
from mlproj.services.request import Context, RunRequest, Tools
from mlproj.services.tracing import Watch, check
from mlproj.store_ports import BlobStore, Lease, RunStore

SOURCE_ATTEMPTS = 3
"""How often a tree that changes under our hands is looked at again before we give up."""


def plan(
    request: RunRequest,
    tools: Tools,
    report: Report,
    look: Callable[[Context, Prepared], None] = lambda context, prepared: None,
) -> Prepared:
    """What `--dry-run` shows: everything decided, nothing written to store or project. `look` is called while
    what was fetched is there."""
    configured_server(request, report)
    with interruptible(), fetched(request, tools, report) as checkout:
        context = Context(request=request, checkout=checkout, tools=tools, report=report)
        prepared = prepare(context, storage=None)
        look(context, prepared)
        return prepared


def run(
    request: RunRequest, tools: Tools, report: Report, approve: Callable[[Prepared], None] | None = None
) -> Run:
    """Runs a project's entry point and returns the sealed run, failed ones too; or one that it may reuse.
    What `approve` raises of what is prepared is passed on, and nothing is run.

    A run that was interrupted is KILLED, its outcome naming the signal. Raises MlprojError where nothing
    could be run (a run that was begun is closed first, with the reason), and Interrupted before that.
    """
    check(request)
    place = _place(request, tools, report)
    if place is not None and request.isolation is not None and not request.isolation.network:
        raise UsageError(
            f"an isolated run has no way to the tracking server `{without_credentials(place.uri)}`",
            hint="give it the network with `--allow-network`, or name no server",
        )
    with (
        interruptible() as interrupts,
        fetched(request, tools, report) as checkout,
        _storage(request, tools) as storage,
        contextlib.ExitStack() as stack,
    ):
        store = tools.open_store()
        lease = stack.enter_context(store.lease())
        if place is not None:
            request = replace(request, experiment=place.experiment.name)
        elif request.experiment_id is not None:
            request = replace(request, experiment=store.experiment(request.experiment_id))
        run_id = _run_id(request, tools, place)
        context = Context(request=request, checkout=checkout, tools=tools, report=report)
        prepared = _kept(context, storage, store, lease)
        if approve is not None:
            approve(prepared)
        watch = Watch(context, prepared, store.workspace(run_id) / "logs")
        opening = Run(
            run_id=run_id,
            name=request.run_name or run_name(run_id),
            created=tools.now(),
            plan=prepared.plan,
            job=prepared.job,
            reproduces=request.reproduces,
        )
        claimed = stack.enter_context(
            claim(
                tools.cache / "claims",
                checkout.directory,
                prepared.products,
                report,
                inherited=request.environ.get(CLAIMS, ""),
            )
        )
        if request.reuse:
            # Only who wants it waits for its import.
            look = importlib.import_module("mlproj.services.reuse").reused
            found: Run | None = look(context, prepared, store, elsewhere=place is not None)
            if found is not None:
                return found
        with (
            mirrored(place, opening, prepared.shown, report) as mirror,
            interrupts.held(),
            store.begin(opening := opened(opening, mirror)),
        ):
            attempt = Attempt(context, opening, prepared, claimed, store, watch, mirror)
            try:
                with interrupts.allowed():
                    _note_folders(prepared, store)
                    attempt.carry_out()
                # How the run ended is known: who does not want to wait for what is read back ends only that.
                with contextlib.suppress(Interrupted), interrupts.allowed():
                    attempt.read_back()
            except Interrupted as interrupt:
                return attempt.seal(interrupt)
            except BaseException as error:
                attempt.seal(error)
                raise
            return attempt.seal()


def _place(request: RunRequest, tools: Tools, report: Report) -> Place | None:
    """The server that a person wants the run to be at, found to be there; else None."""
    uri = configured_server(request, report)
    if uri is None or is_same_server(uri, tools.far):
        return None
    if tools.far is not None:
        raise UsageError(
            f"the script of a run that is recorded at `{without_credentials(tools.far)}` logs there,"
            f" and not to the tracking server `{without_credentials(uri)}`",
            hint="leave out `--tracking-uri` and `MLFLOW_TRACKING_URI`, or name a store in a folder",
        )
    server, outer = tools.server(uri), outer_run(request.environ, uri)
    return Place(
        server=server,
        uri=uri,
        experiment=experiment_at(server, request, outer),
        outer=outer,
        run_id=request.run_id,
    )


def _run_id(request: RunRequest, tools: Tools, place: Place | None) -> str:
    """The id that was announced, or a new one. A server's ids may be of another form."""
    if request.run_id is None:
        return tools.new_id()
    if not re.fullmatch("[0-9a-f]{32}", request.run_id):
        if place is not None:
            return tools.new_id()
        raise UsageError(f"`{request.run_id}` is not a run's id", hint="an id is 32 hexadecimal digits")
    return request.run_id


@contextlib.contextmanager
def _storage(request: RunRequest, tools: Tools) -> Iterator[Path]:
    """A folder for what is downloaded; kept where the person named one, else gone with the run."""
    if request.storage is not None:
        yield _below(request.storage)
        return
    folder = tools.cache / "downloads" / tools.new_id()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _below(storage: Path) -> Path:
    """A new folder in the one that the person named."""
    try:
        storage.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=storage)).absolute()
    except OSError as error:
        raise DataError(
            f"nothing can be put into `{storage}`: {error.strerror}", hint="give another `--storage-dir`"
        ) from error


def _kept(context: Context, storage: Path, store: RunStore, lease: Lease) -> Prepared:
    """A prepared run whose source and lock are in the store, exactly as the plan names them."""
    changed: tuple[Path, ...] = ()
    for _ in range(SOURCE_ATTEMPTS):
        prepared = prepare(context, storage=storage)
        changed = _keep_source(prepared, store.blobs, lease)
        if not changed:
            if prepared.locked.lock is not None:
                store.blobs.add_bytes(prepared.locked.lock.text)
            return prepared
    raise ProjectError(
        f"the source keeps changing while it is recorded: `{changed[0]}`",
        hint="wait until whatever writes there is done, or have git ignore it",
    )


def _note_folders(prepared: Prepared, store: RunStore) -> None:
    """Has the data in folders found by the content of its files."""
    for listing in prepared.listings:
        store.contents.add_folder(listing)


def _keep_source(prepared: Prepared, blobs: BlobStore, lease: Lease) -> tuple[Path, ...]:
    """Puts the snapshot into the store, if no recorded run names it: then it is there already."""
    snapshot = prepared.snapshot
    if snapshot.omitted_manifest is not None:
        blobs.add_bytes(snapshot.omitted_manifest)
    if lease.has_source(prepared.job.source):
        return ()
    changed = blobs.add_files((snapshot.root / file.path, file.digest) for file in snapshot.files)
    if not changed:
        blobs.add_bytes(snapshot.manifest)
    return changed
