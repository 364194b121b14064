"""The program: `serve` answers over HTTP, `predict` reads one file and writes one."""

from __future__ import annotations

import argparse
import functools
import json
import socket
import sys
from typing import Any

from .exchange import Unusable
from .loading import Facts, load, read_facts
from .patience import STALLED_S
from .workers import Terms, Workers

UNUSABLE, NO_PORT, REFUSED = 3, 4, 5
"""Exit codes: the model cannot be loaded, the port is not to be had, the input was refused."""


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    facts = read_facts(options.facts)
    try:
        return _serve(options, facts) if options.action == "serve" else _predict(options, facts)
    except Unusable as error:
        return _failed(options, UNUSABLE, str(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scoring", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    serve, predict = actions.add_parser("serve"), actions.add_parser("predict")
    for action in (serve, predict):
        action.add_argument("--model", required=True, help="a folder with an MLmodel, or a file")
        action.add_argument("--facts", help="a JSON file with what is known of the model")
        action.add_argument("--failure", help="a file to write the reason into where it does not go")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=5000)
    serve.add_argument("--workers", type=int, default=1)
    serve.add_argument("--timeout", type=float, default=60.0, help="seconds that an answer may take")
    serve.add_argument("--most", type=int, default=256 * 1024 * 1024, help="bytes of a body")
    serve.add_argument(
        "--stalled", type=float, default=STALLED_S, help="seconds to wait for who stands still"
    )
    serve.add_argument("--attended", action="store_true", help="end with standard input")
    predict.add_argument("--input", help="else standard input")
    predict.add_argument("--output", help="else standard output")
    predict.add_argument("--kind", default="application/json", help="the content type of the input")
    return parser


def _serve(options: argparse.Namespace, facts: Facts) -> int:
    try:
        listener = _bound(options.host, options.port)
    except OSError as error:
        return _failed(options, NO_PORT, f"{error.strerror}")
    with listener:
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        served = facts.served or {}
        line = f"serving at http://{shown}:{port}{_which(served)}"
        told = functools.partial(print, line, file=sys.stderr, flush=True)
        loading = functools.partial(load, options.model, facts)
        terms = Terms(loading, options.most, options.timeout, options.stalled, served)
        until = sys.stdin.fileno() if options.attended else None
        Workers(listener, terms, until).serve(max(1, options.workers), told)
    return 0


def _which(served: dict[str, Any]) -> str:
    """Which model it is, as far as anybody said."""
    run_id = served.get("run_id")
    told = (served.get("model"), run_id and f"run {run_id}", served.get("digest"))
    words = ", ".join(word for word in told if word)
    return f" ({words})" if words else ""


def _bound(host: str, port: int) -> socket.socket:
    """A socket that has its port, and to which nobody can connect before a worker listens."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def _predict(options: argparse.Namespace, facts: Facts) -> int:
    scorer = load(options.model, facts).scorer
    answer = scorer(_content(options.input), options.kind)
    if answer.status != 200:
        return _failed(options, REFUSED, _told(answer.body))
    if options.output is None:
        sys.stdout.buffer.write(answer.body)
        sys.stdout.buffer.flush()
        return 0
    with open(options.output, "wb") as file:
        file.write(answer.body)
    return 0


def _content(path: str | None) -> bytes:
    if path is None:
        return sys.stdin.buffer.read()
    with open(path, "rb") as file:
        return file.read()


def _told(body: bytes) -> str:
    """What a refusal says, without where in the program it was said."""
    text = body.decode("utf-8", "replace")
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text


def _failed(options: argparse.Namespace, code: int, reason: str) -> int:
    if options.failure is None:
        print(reason, file=sys.stderr)
    else:
        with open(options.failure, "w", encoding="utf-8") as file:
            file.write(reason)
    return code
