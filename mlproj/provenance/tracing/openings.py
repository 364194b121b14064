"""What was opened while a run went on, whoever saw it."""

from __future__ import annotations

import msgspec

MOST = 500_000
"""So many paths are looked at after a run."""


class Openings(msgspec.Struct, kw_only=True):
    """Paths that were opened, made absolute. `read` are those that were opened for reading before the run
    itself had written them, `written` the others. `programs` are those that a traced one started: their
    arguments, and whether they lack the variable by which they would be traced; `old` are versions of Python
    that cannot be. `pythons` is how many could. `is_cut` says that there was more. With `were_old` nothing
    that was read had changed since the run began, when it was."""

    read: dict[str, None] = msgspec.field(default_factory=dict)
    written: dict[str, None] = msgspec.field(default_factory=dict)
    programs: dict[tuple[tuple[str, ...], bool], None] = msgspec.field(default_factory=dict)
    old: dict[str, None] = msgspec.field(default_factory=dict)
    pythons: int = 0
    is_cut: bool = False
    were_old: bool = True

    def note_read(self, path: str) -> None:
        if self._has_room():
            self.read[path] = None

    def note_written(self, path: str) -> None:
        if self._has_room():
            self.written[path] = None

    def _has_room(self) -> bool:
        self.is_cut = self.is_cut or len(self.read) + len(self.written) >= MOST
        return not self.is_cut
