"""PostgreSQL and MariaDB of the tests' own, each in a folder of its own and gone with the tests.

One of each is started where a test asks for it first, and every store has a new database in it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import psycopg
import pymysql

from tests.conftest import AT_THE_END, need

_PATIENCE_S = 60.0
KINDS = ("postgresql", "mariadb")


class Database:
    """A server that was started here. It can be killed, and started again on what it left."""

    def __init__(self, command: tuple[str, ...], folder: Path, answers: Callable[[], None]) -> None:
        self._command = command
        self._folder = folder
        self._answers = answers
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self._folder,
                start_new_session=True,
            )
        until = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return self._answers()
            except (psycopg.Error, pymysql.Error) as error:
                if time.monotonic() > until or self._process.poll() is not None:
                    log_text = (self._folder / "log").read_text(errors="replace")[-2000:]
                    raise AssertionError(f"the database does not start: {error}\n{log_text}") from error
                time.sleep(0.05)

    def kill(self) -> None:
        """Ends it with all its processes, without a word."""
        assert self._process is not None
        # Those of PostgreSQL are each in a session of its own.
        whole = psutil.Process(self._process.pid)
        for process in (whole, *whole.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()

    def stop(self, sign: signal.Signals) -> None:
        """Ends it in order."""
        assert self._process is not None
        self._process.send_signal(sign)
        try:
            self._process.wait(timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of database, as those use it who need a database in it."""

    database: Database
    address: str
    make: Callable[[str], None]

    def uri(self) -> str:
        """That of a new and empty database."""
        name = f"store_{secrets.token_hex(6)}"
        self.make(name)
        return self.address.format(name=name)


@contextlib.contextmanager
def started(kind: str, *, synced: bool = False) -> Iterator[Server]:
    """A server of that kind, for the length of the `with`; `synced` where what it keeps is to outlive it."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix=f"{kind}-", dir=memory) as outer:
        Path(outer).chmod(0o711)  # the server runs as another user
        with {"postgresql": _postgresql, "mariadb": _mariadb}[kind](Path(outer, "data"), synced) as server:
            yield server


def present(kind: str) -> bool:
    return _postgresql_programs() is not None if kind == "postgresql" else bool(shutil.which("mariadbd"))


@functools.cache
def shared(kind: str) -> Server:
    """The server of a kind that all tests share, started when it is first asked for."""
    return AT_THE_END.enter_context(started(kind))


def new_uri(kind: str) -> str:
    """That of a new and empty database. Skips the test, or fails it, where there is none of that kind."""
    need(kind, present(kind))
    return shared(kind).uri()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _postgresql_programs() -> Path | None:
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: path.parts[4])
    return versions[-1].parent if versions else None


@contextlib.contextmanager
def _postgresql(folder: Path, synced: bool) -> Iterator[Server]:
    programs = _postgresql_programs()
    assert programs is not None
    user, own = _another_user("postgres", folder)
    options = ("--no-sync", "--auth=trust", "--username=tester", "--encoding=UTF8", "--locale=C.UTF-8")
    made = (*user, str(programs / "initdb"), "-D", str(folder), *options)
    subprocess.run(made, check=True, capture_output=True, cwd="/")
    port = _free_port()
    settings = (
        "listen_addresses=127.0.0.1",
        f"port={port}",
        "unix_socket_directories=",
        "max_connections=100",
    )
    sync = () if synced else ("fsync=off",)
    command = (
        *user,
        str(programs / "postgres"),
        "-D",
        str(folder),
        *(f"-c{each}" for each in (*settings, *sync)),
    )
    address = f"postgresql://tester@127.0.0.1:{port}/{{name}}"

    def make(name: str) -> None:
        with psycopg.connect(address.format(name="postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())

    def answers() -> None:
        psycopg.connect(address.format(name="postgres")).close()

    with _running(Database(command, own, answers), signal.SIGINT) as database:
        yield Server(database=database, address=address, make=make)


@contextlib.contextmanager
def _mariadb(folder: Path, synced: bool) -> Iterator[Server]:
    user, own = _another_user("mysql", folder)
    owner = ("--user=mysql",) if os.geteuid() == 0 else ()
    made = ("mariadb-install-db", "--no-defaults", *owner, f"--datadir={folder}", "--skip-test-db")
    subprocess.run(
        (*made, "--auth-root-authentication-method=normal"), check=True, capture_output=True, cwd="/"
    )
    (own / "first.sql").write_text(
        "CREATE USER IF NOT EXISTS 'tester'@'%' IDENTIFIED BY 'open sesame';\n"
        "GRANT ALL ON *.* TO 'tester'@'%';\n"
    )
    port = _free_port()
    command = (
        *user,
        str(shutil.which("mariadbd")),
        "--no-defaults",
        f"--datadir={folder}",
        f"--socket={own / 'socket'}",
        "--bind-address=127.0.0.1",
        f"--port={port}",
        "--skip-name-resolve",
        f"--init-file={own / 'first.sql'}",
        f"--pid-file={own / 'pid'}",
        "--innodb-buffer-pool-size=64M",
        *(() if synced else ("--innodb-flush-log-at-trx-commit=2",)),
    )
    address = f"mysql://tester:open%20sesame@127.0.0.1:{port}/{{name}}"

    def entered() -> pymysql.Connection[Any]:
        return pymysql.connect(host="127.0.0.1", port=port, user="tester", password="open sesame")

    def make(name: str) -> None:
        with contextlib.closing(entered()) as connection:
            connection.cursor().execute(f"CREATE DATABASE {name}")

    def answers() -> None:
        entered().close()

    with _running(Database(command, own, answers), signal.SIGTERM) as database:
        yield Server(database=database, address=address, make=make)


@contextlib.contextmanager
def _running(database: Database, sign: signal.Signals) -> Iterator[Database]:
    database.start()
    try:
        yield database
    finally:
        database.stop(sign)


def _another_user(name: str, folder: Path) -> tuple[tuple[str, ...], Path]:
    """What a command begins with that is to run as that user, which servers want to rather than as root, and
    that is to end with us, however we end; and the folder beside the data where it may write."""
    own = folder.with_name(f"{folder.name}-beside")
    own.mkdir()
    folder.mkdir(mode=0o700)
    if os.geteuid() != 0:
        return ("setpriv", "--pdeathsig=TERM"), own
    known = pwd.getpwnam(name)
    for each in (own, folder):
        os.chown(each, known.pw_uid, known.pw_gid)
    return (
        "setpriv",
        f"--reuid={known.pw_uid}",
        f"--regid={known.pw_gid}",
        "--clear-groups",
        "--pdeathsig=TERM",
    ), own
