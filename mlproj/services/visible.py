"""Which files and folders of this machine an isolated run has to see, so that what it is given is there."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64")
"""Of these everything is seen."""

_MOST_HOPS = 40
"""As many symbolic links as the kernel follows for one path."""


def hops(path: str) -> Iterator[str]:
    """The path, and every other that has to be there for it to lead where it does by symbolic links."""
    for _ in range(_MOST_HOPS):
        yield path
        link = _first_link(path)
        if link is None:
            return
        target = os.path.join(os.path.dirname(link), os.readlink(link))
        path = os.path.normpath(target + path[len(link) :])


def of_data(paths: Iterable[str]) -> Iterator[str]:
    """What has to be seen of data: the files and folders, and where the links in them lead."""
    waiting, done = [os.path.normpath(path) for path in paths], set[str]()
    while waiting:
        path = waiting.pop()
        if path in done or not os.path.exists(path):
            continue
        done.add(path)
        yield from hops(path)
        waiting += _links_out(path)


def of_python(executable: Path) -> Iterator[str]:
    """What an interpreter needs to run: its installation, also that which a virtual environment builds on."""
    for hop in hops(str(executable)):
        yield from _installation(hop)


def of_environment(folders: Sequence[Path]) -> Iterator[str]:
    """The environment whose folders these are on the PATH, and what in it stands for a folder elsewhere."""
    for root in dict.fromkeys(folder.parent if folder.name == "bin" else folder for folder in folders):
        yield str(root)
        yield from _named_in_it(str(root))
        yield from _beneath(str(root))


def is_within(path: str, folders: Iterable[str]) -> bool:
    """Whether a path is one of the folders or lies in one, by its text."""
    return any(path == folder or path.startswith(f"{folder.rstrip('/')}/") for folder in folders)


def _first_link(path: str) -> str | None:
    parts = path.split("/")
    above = ("/".join(parts[: number + 1]) for number in range(1, len(parts)))
    return next(filter(os.path.islink, above), None)


def _links_out(folder: str) -> Iterator[str]:
    """Where links in a folder of data lead, unless that lies in it, too."""
    for here, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = os.path.join(here, name)
            if os.path.islink(path):
                target = os.path.normpath(os.path.join(here, os.readlink(path)))
                if not is_within(target, (folder,)):
                    yield target


def _installation(executable: str) -> Iterator[str]:
    root = os.path.dirname(os.path.dirname(executable))
    if os.path.isfile(os.path.join(root, "pyvenv.cfg")):
        yield root
        yield from _named_in_it(root)
        yield from _beneath(root)
    elif glob.glob(os.path.join(root, "lib*", "python*", "os.py")):
        yield root
    else:
        # Such as a link in a folder of programs, which is nobody's installation.
        yield executable


def _beneath(root: str) -> Iterator[str]:
    """The installation that a virtual environment was made from."""
    try:
        lines = Path(root, "pyvenv.cfg").read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        name, _, value = line.partition("=")
        if name.strip() == "home":
            for hop in hops(os.path.join(value.strip(), "python3")):
                yield from _installation(hop) if not hop.startswith(f"{root}/") else ()


def _named_in_it(root: str) -> Iterator[str]:
    """Folders elsewhere that packages are imported from, as editable ones are."""
    for path in glob.glob(os.path.join(root, "lib", "python*", "site-packages", "*.pth")):
        for line in Path(path).read_text(errors="replace").splitlines():
            if line.startswith("/") and os.path.isdir(line):
                yield from hops(os.path.normpath(line))
