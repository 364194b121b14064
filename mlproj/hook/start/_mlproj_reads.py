"""Notes which files a Python program opens, in a file of its process.

It is called at every audit event (PEP 578, Python 3.8), and must cost next to nothing, change nothing, and
survive whatever becomes of the process: each note is one write at the end of a file. A note ends with NUL,
which no path holds; of one that was cut short there is no end. They read

    P version       a Python began
    r path          a regular file was opened for reading that had not changed since the run began
    w path          a file was opened for writing, or renamed to this
    s 0|1 words     a program was started; 1 without the variable that switches this on
    X               there was more, and it was not noted
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    # ruff does not read the comments that type this file
    from typing import Any, Callable, Dict, Optional, Set, Tuple  # noqa: F401

MOST = 100000
"""So many different paths are noted of a process, and so many programs that it starts."""
MOST_STARTED = 500

VARIABLE = "MLPROJ_READS"
UNTRACED = "mlproj.untraced"
"""The event by which mlproj itself, as a step of a run, says that what it opens is no business of the run."""

_KIND, _REGULAR, _ACCESS = 0o170000, 0o100000, os.O_ACCMODE
_ENCODING, _ERRORS = sys.getfilesystemencoding(), "surrogateescape"
_OF_A_PYTHON = ("bin", "conda-meta", "include", "lib", "lib32", "lib64", "libexec", "share")
_WORDS = 12
_LONGEST = 400


class Notes:
    """The file of this process, which those that it forks write to as well."""

    def __init__(self, folder):
        # type: (str) -> None
        self._path = os.path.join(folder, str(os.getpid()) + "-" + os.urandom(6).hex())
        self._open()

    def add(self, note, fstat=os.fstat, write=os.write):
        # type: (bytes, Callable[[int], os.stat_result], Callable[[int, bytes], int]) -> None
        # A program may close all files that it does not know of, and the number is another's then.
        try:
            state = fstat(self._file)
            if state.st_ino != self._inode or state.st_dev != self._device:
                self._open()
        except OSError:
            self._open()
        write(self._file, note + b"\0")

    def _open(self):
        # type: () -> None
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        state = os.fstat(self._file)
        self._inode, self._device = state.st_ino, state.st_dev


class Looking:
    """What is done at each of the events that matter. `since` is when the run began, in nanoseconds."""

    def __init__(self, notes, own, since):
        # type: (Notes, Tuple[str, ...], int) -> None
        self._add = notes.add
        self._own = own
        self._since = since
        self._seen = set()  # type: Set[int]
        self._started = set()  # type: Set[int]
        self._folder = None  # type: Optional[str]
        self._is_cut = False

    def opened(self, arguments):
        # type: (Any) -> None
        path, _, flags = arguments
        if path.__class__ is not str or path[:1] != "/" or path.startswith(self._own):
            path = self._outside(path)
            if path is None:
                return
        access = flags & _ACCESS
        if access:
            self._written(path)
        if access != os.O_WRONLY and not flags & os.O_TRUNC:
            self._read(path)

    def connected(self, arguments):
        # type: (Any) -> None
        """A database of SQLite, which opens its file itself."""
        path = arguments[0]
        if isinstance(path, str) and path.startswith("file:"):
            path = _unquoted(path[5:].partition("?")[0])
            path = path[2:] if path.startswith("///") else path
        path = self._outside(path) if path not in ("", b"", ":memory:", b":memory:") else None
        if path is not None:
            self._read(path)
            self._written(path)

    def renamed(self, arguments):
        # type: (Any) -> None
        path = self._outside(arguments[1])
        if path is not None:
            self._written(path)

    def moved(self, _):
        # type: (Any) -> None
        """The program goes to another folder: which one, the next relative path will ask."""
        self._folder = None

    def started(self, arguments):
        # type: (Any) -> None
        """`subprocess.Popen` has four arguments, `os.exec` and `os.posix_spawn` three."""
        words, variables = arguments[1], arguments[-1]
        bare = variables is not None and VARIABLE not in variables and VARIABLE.encode() not in variables
        if not isinstance(words, (list, tuple)):
            words = [words]
        text = b"\x1f".join(os.fsencode(word)[:_LONGEST] for word in words[:_WORDS])
        self._program(b"s %d " % bare + text)

    def commanded(self, arguments):
        # type: (Any) -> None
        self._program(b"s 0 sh\x1f-c\x1f" + os.fsencode(arguments[0])[:_LONGEST])

    def _program(self, note):
        # type: (bytes) -> None
        mark = hash(note)
        if mark not in self._started and len(self._started) < MOST_STARTED:
            self._started.add(mark)
            self._add(note)

    def _read(self, path, stat=os.stat):
        # type: (str, Callable[[str], os.stat_result]) -> None
        mark = hash(path)
        if mark in self._seen or self._is_full():
            return
        self._seen.add(mark)
        try:
            state = stat(path)
        except (OSError, ValueError):
            return
        if state.st_mode & _KIND == _REGULAR and state.st_ctime_ns < self._since:
            self._add(b"r " + path.encode(_ENCODING, _ERRORS))

    def _written(self, path):
        # type: (str) -> None
        mark = ~hash(path)
        if mark not in self._seen and not self._is_full():
            self._seen.add(mark)
            self._add(b"w " + path.encode(_ENCODING, _ERRORS))

    def _is_full(self):
        # type: () -> bool
        if len(self._seen) < MOST:
            return False
        if not self._is_cut:
            self._is_cut = True
            self._add(b"X")
        return True

    def _outside(self, path):
        # type: (Any) -> Optional[str]
        """The path, made absolute; None for one of a file that is open already, or is the environment's."""
        if path.__class__ is not str:
            if isinstance(path, int):
                return None
            path = os.fsdecode(path)
        if path[:1] != "/":
            if self._folder is None:
                self._folder = os.getcwd()
            path = self._folder + "/" + path
        if path.startswith(self._own):
            straight = os.path.realpath(path) if "/../" in path else path
            return None if straight.startswith(self._own) else straight
        return str(path)


def _unquoted(text):
    # type: (str) -> str
    head, *rest = text.split("%")
    quoted = (bytes.fromhex(part[:2]) + part[2:].encode(_ENCODING, _ERRORS) for part in rest)
    return (head.encode(_ENCODING, _ERRORS) + b"".join(quoted)).decode(_ENCODING, _ERRORS)


def begin(place):
    # type: (str) -> None
    """`place` is when the run began, in nanoseconds, a colon, and the folder for the notes."""
    since, _, folder = place.partition(":")
    notes = Notes(folder)
    notes.add(b"P " + sys.version.split()[0].encode("ascii", "replace"))
    looking = Looking(notes, own_folders(folder), int(since))
    actions = {
        "open": looking.opened,
        "sqlite3.connect": looking.connected,
        "os.rename": looking.renamed,
        "os.chdir": looking.moved,
        "subprocess.Popen": looking.started,
        "os.posix_spawn": looking.started,
        "os.exec": looking.started,
        "os.system": looking.commanded,
    }  # type: Dict[str, Callable[[Any], None]]
    actions[UNTRACED] = lambda _: actions.clear()
    find = actions.get

    def hook(event, arguments):
        # type: (str, Any) -> None
        action = find(event)
        if action is not None:
            # What cannot be noted is not worth a failure of the program's, nor a module the loading.
            try:  # noqa: SIM105
                action(arguments)
            except Exception:
                pass

    sys.addaudithook(hook)


def own_folders(folder):
    # type: (str) -> Tuple[str, ...]
    """The folders of this Python, of the system's own looking glasses, and ours. Of a Python in whose folder
    the program works, which may be `/`, only what it surely has there itself."""
    here = os.getcwd() + "/"
    found = [folder + "/", "/proc/", "/sys/", os.path.dirname(os.__file__) + "/"]
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    for prefix in prefixes | {os.path.realpath(prefix) for prefix in prefixes}:
        whole = prefix.rstrip("/") + "/"
        if here.startswith(whole):
            found += [whole + name + "/" for name in _OF_A_PYTHON]
        else:
            found.append(whole)
    return tuple(found)
