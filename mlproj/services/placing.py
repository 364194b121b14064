"""Puts the outputs of a finished run where another run of its plan would have written them.

Everything is copied beside its place and held against its digest first, so that nothing is replaced where
anything is missing or altered. What stands there already with the same content is left alone.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from mlproj.errors import Altered, DataError, StoreError
from mlproj.files import digest_of
from mlproj.model.digest import Digest, read_manifest, readable
from mlproj.model.events import Note, silent
from mlproj.model.run import Output, Run
from mlproj.services.artifacts import copy_content
from mlproj.services.request import Context
from mlproj.store_ports import RunStore

_SMALL = 16 * 1024 * 1024
"""So few bytes are read again each time; of more it is remembered that they were as they should be."""


class Unplaceable(Exception):
    """Why the outputs of a run cannot be put in place, as the end of a sentence about the run."""


class Placing(msgspec.Struct, frozen=True, kw_only=True):
    """A run, the store that holds what it left, and where it is to be put."""

    context: Context
    store: RunStore
    run: Run

    def put(self, products: Sequence[str], *, place: bool) -> None:
        """Has every product of the run where it belongs; without `place`, only sees whether it could.

        Raises Unplaceable, with nothing changed, where one was not left or is not held as it was, or where
        something of another kind is in the way.
        """
        outputs = self._outputs(products)
        self._look(output for path, output in outputs.items() if path not in products)
        wanted = {target: digest for path in products for target, digest in self._wanted(path, outputs[path])}
        if not place or self.context.checkout.own:  # which is gone once we have ended
            self._look(outputs[path] for path in products)
            return
        self._replace(wanted)
        for path in products:
            self._tell_strange(path, outputs[path])

    def _outputs(self, products: Sequence[str]) -> dict[str, Output]:
        """All that the run left, by path."""
        outputs = () if self.run.outcome is None else self.run.outcome.outputs
        found = {output.path: output for output in outputs}
        for path in products:
            if path not in found or found[path].state == "missing":
                raise Unplaceable(f"it did not write `{path}`")
        for output in outputs:
            if output.state == "unchanged":
                raise Unplaceable(f"it found `{output.path}` there, and did not write it")
            if output.state == "served":
                raise Unplaceable(f"a server holds its `{output.path}`")
        return found

    def _look(self, outputs: Iterator[Output]) -> None:
        """Raises Unplaceable where a content is gone or altered."""
        for output in outputs:
            for path, digest in self._files(output).items():
                shown = os.path.join(output.path, readable(path)).rstrip("/")
                if not self._is_held(digest):
                    raise Unplaceable(f"the store no longer holds its `{shown}` as it was")

    def _is_held(self, digest: Digest) -> bool:
        try:
            path = self.store.blobs.path(digest)
            if path.stat().st_size <= _SMALL:
                return digest_of(path)[0] == digest
            observer = self.context.tools.observer
            return (
                observer.data("blob", path, path.parent, declared=False, report=silent).state.digest == digest
            )
        except (StoreError, DataError, OSError):
            return False

    def _files(self, output: Output) -> Mapping[bytes, Digest]:
        """The files of an output by their paths in it, which is empty for the one that it is."""
        if output.digest is None:
            return {}
        if output.kind != "folder":
            return {b"": output.digest}
        if not self._is_held(output.digest):
            raise Unplaceable(f"the store no longer holds the list of files of its `{output.path}`")
        listed = read_manifest(self.store.blobs.path(output.digest).read_bytes())
        for path, _, _ in listed:
            if path.startswith(b"/") or b".." in path.split(b"/"):
                raise Unplaceable(f"its `{output.path}` leads out of itself, by `{readable(path)}`")
        return {path: digest for path, _, digest in listed}

    def _wanted(self, path: str, output: Output) -> Iterator[tuple[Path, Digest]]:
        """The files that are not there as they should be. What else lies in a folder stays, as it would had
        the run been carried out again."""
        target = Path(os.path.realpath(self.context.checkout.directory / path))
        is_folder = output.kind == "folder"
        if target.exists() and target.is_dir() != is_folder:
            raise Unplaceable(f"a {'file' if is_folder else 'folder'} is in the way of its `{path}`")
        files = self._files(output)
        there = self._there(target, path, output)
        for name, digest in files.items():
            if digest not in self.store.blobs:
                raise Unplaceable(f"the store no longer holds its `{path}`")
            if there.get(name) != digest:
                yield (target / os.fsdecode(name) if is_folder else target), digest

    def _there(self, target: Path, path: str, output: Output) -> Mapping[bytes, Digest]:
        """What stands there now, file by file; of too many nothing, unless they are as they should be."""
        if not target.exists():
            return {}
        context = self.context
        try:
            seen = context.tools.observer.data(
                path, target, context.checkout.directory, declared=False, report=silent
            )
        except DataError:
            return {}
        if seen.state.digest == output.digest:
            return self._files(output)
        if seen.manifest is not None:
            return {name: digest for name, _, digest in read_manifest(seen.manifest)}
        return {} if seen.state.digest is None or target.is_dir() else {b"": seen.state.digest}

    def _tell_strange(self, path: str, output: Output) -> None:
        target = self.context.checkout.directory / path
        strange = self._there(target, path, output).keys() - self._files(output).keys()
        if output.kind != "folder" or not strange:
            return
        shown = ", ".join(f"`{readable(name)}`" for name in sorted(strange)[:3])
        more = f" and {len(strange) - 3} more" if len(strange) > 3 else ""
        self.context.report(Note(message=f"what the run did not write stays in `{path}`: {shown}{more}"))

    def _replace(self, wanted: Mapping[Path, Digest]) -> None:
        aside: dict[Path, Path] = {}
        try:
            for target, digest in wanted.items():
                beside = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}")
                aside[target] = beside
                copy_content(self.store, digest, beside)
                with contextlib.suppress(FileNotFoundError):
                    beside.chmod(target.stat().st_mode & 0o7777)
            for target, beside in aside.items():
                os.replace(beside, target)
        except Altered as error:
            raise Unplaceable(f"what the store holds of it was altered: {error.message}") from error
        except (StoreError, OSError) as error:
            raise Unplaceable(f"its outputs cannot be put in place: {error}") from error
        finally:
            for beside in aside.values():
                beside.unlink(missing_ok=True)
