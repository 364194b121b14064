"""`mlproj ui`: the store in a browser, for the person at this machine."""

from __future__ import annotations

import os
import socket
import threading
from typing import Annotated

import typer

from mlproj import server_wiring, wiring
from mlproj.cli.options import StoreOption
from mlproj.cli.terminal import say
from mlproj.errors import UsageError
from mlproj.server.access import Grant, Guard
from mlproj.server.app import create_app
from mlproj.server.doorway import prepared
from mlproj.server.serving import Serving
from mlproj.settings import user_name

ADDRESS = "127.0.0.1"
_BACKLOG = 128

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def ui(
    port: Annotated[
        int,
        typer.Option("--port", "-p", metavar="N", min=0, max=65535, help="Port to listen on, 0 for any."),
    ] = 5000,
    store: StoreOption = None,
) -> int:
    """Show the store in a browser until Ctrl-C: runs as they go on, curves, files, lineage and models.

    It listens on this machine alone. MLflow's clients may log to the same address.
    """
    opened = wiring.open_store(os.environ, wiring.current_folder(), store, create=False)
    listener = _listener(port)
    tracking = wiring.tracking_of(opened)
    application = create_app(
        tracking,
        wiring.artifacts_of(opened),
        proxied=True,
        store=opened,
        user=user_name(),
        unexpected=_tell,
    )
    server_wiring.add_pages(application, os.environ)
    serving = Serving(Guard(application, Grant(), token=None), [prepared(listener)])
    # Signals stay this thread's.
    thread = threading.Thread(target=serving.run, name="pages")
    thread.start()
    try:
        typer.echo(f"http://{ADDRESS}:{listener.getsockname()[1]}/")
        say("Ctrl-C ends it")
        thread.join()
    except KeyboardInterrupt:
        say("ended")
    finally:
        serving.end()
        thread.join()
        tracking.close()
        listener.close()
    return 0


def _listener(port: int) -> socket.socket:
    try:
        return socket.create_server((ADDRESS, port), backlog=_BACKLOG)
    except OSError as error:
        raise UsageError(
            f"port {port} cannot be listened on: {error.strerror}", hint="`--port 0` takes any that is free"
        ) from error


def _tell(error: Exception) -> None:
    say(f"warning: a page could not be made: {type(error).__name__}: {error}")
