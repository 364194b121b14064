"""A program beside `mlproj verify` that walks along a part of the chain, and what asks it.

Records are read by Python, which keeps one core busy: beside it there are others. A fork would do, were a
database open in it not a way to lose it.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from mlproj import wiring
from mlproj.model.digest import Digest, as_digest
from mlproj.services.walk import Place, Stretch, Walk

MOST = 3
"""So many at most: from then on the files are what takes the time."""
_MOMENT_MS = 5


class WalkerBeside:
    """Asks the program; a `services.verify.Walker`. Raises OSError where it cannot be started."""

    def __init__(self, store: Path, after: Place, until: int | None) -> None:
        arguments = (str(store), str(after[0]), after[1], "" if until is None else str(until))
        # -I: nothing that lies in the current folder is taken for a module of ours
        self._process = subprocess.Popen(
            (sys.executable, "-I", "-m", "mlproj.cli.walker", *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        assert self._process.stdout is not None
        self._from = self._process.stdout.fileno()
        self._poll = select.poll()
        self._poll.register(self._from, select.POLLIN | select.POLLHUP)
        self._read = bytearray()
        self._decode = msgspec.json.Decoder(Stretch, dec_hook=as_digest).decode

    def stretches(self, *, wait: bool) -> Sequence[Stretch] | None:
        while self._poll.poll(_MOMENT_MS if wait else 0):
            piece = os.read(self._from, 1 << 20)
            if not piece:
                return None
            self._read += piece
            if b"\n" in piece:
                break
        *lines, rest = bytes(self._read).split(b"\n")
        self._read = bytearray(rest)
        return [self._decode(line) for line in lines]

    def close(self) -> None:
        self._process.kill()
        with self._process:  # closes the pipe, and waits
            pass


def main(store: str, sequence: str, link: str, until: str) -> None:
    """Prints a line for each stretch. Where it cannot go on it ends: whoever asked goes on by itself."""
    walk = Walk(wiring.existing_store(store), None)
    for stretch in walk.stretches((int(sequence), Digest(link)), int(until) if until else None):
        sys.stdout.buffer.write(msgspec.json.encode(stretch, enc_hook=str) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
