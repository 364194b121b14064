"""Templates become pages: everything that is put into one is escaped, and Markdown is read without HTML."""

from __future__ import annotations

import functools
import json
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import nh3
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from mlproj.model.moment import milliseconds, moment_of, seconds_of
from mlproj.server.pages.assets import address
from mlproj.server.pages.safety import FIELD
from mlproj.server.pages.visit import Shown, Visit
from mlproj.version import __version__
from mlproj.words import counted, duration, number, size

_TAGS = {
    *("a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr"),
    *("li", "ol", "p", "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}
_LONGEST_NOTE = 50_000
_MOST_LINKS = 2000


def rendered(shown: Shown, visit: Visit) -> str:
    """The page as a browser gets it."""
    template = _environment().get_template(shown.template)
    return template.render(**shown.values, visit=visit, here=visit.here, who=visit.desk.caller)


def markdown(text: str) -> Markup:
    """A note as its author laid it out. HTML in it is text, a picture its name, and a link leads nowhere
    but to an address of the web."""
    note = text[:_LONGEST_NOTE]
    if note.count("[") > _MOST_LINKS:
        # Each that may begin a link is followed to the note's end, which is the square of them.
        return Markup("<pre>{}</pre>").format(note)
    html = _markdown().render(note)
    clean = nh3.clean(
        html,
        tags=_TAGS,
        attributes={"a": {"href"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
    # The sanitiser leaves only what is in its lists.
    return Markup(clean)


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        counted=counted,
        duration=duration,
        json=_json,
        lasted=_lasted,
        markdown=markdown,
        number=number,
        part=_part,
        shell=shlex.quote,
        short=lambda digest: "" if digest is None else digest.removeprefix("sha256:")[:12],
        size=size,
        span=_span,
        time=_time,
    )
    environment.globals.update(asset=address, field=FIELD, query=_query, release=__version__)
    return environment


@functools.cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("js-default", {"linkify": False}).disable("image")


def _json(value: Any) -> str:
    """For an attribute or a line of Python, where it is escaped as any text."""
    return json.dumps(value, allow_nan=False, ensure_ascii=False)


def _part(text: str | int) -> str:
    """As one part of a path."""
    return quote(str(text), safe="")


def _query(*pairs: tuple[str, str | int], **named: str | int) -> str:
    """A query of what is not empty."""
    return urlencode([(name, value) for name, value in (*pairs, *named.items()) if value not in ("", None)])


def _span(started: int | None, ended: int | None) -> str:
    """How long something took, from milliseconds to milliseconds."""
    return "" if started is None or ended is None or ended < started else duration((ended - started) / 1000)


def _lasted(milliseconds: float | None) -> str:
    """A length of time that may be a short one."""
    if milliseconds is None:
        return ""
    return f"{milliseconds:.3g} ms" if milliseconds < 999.5 else duration(milliseconds / 1000)


def _time(moment: int | str | None) -> Markup | str:
    """A moment that the browser shows by its own clock and calendar; until then, and without script, UTC."""
    told = moment if isinstance(moment, str) else moment_of(moment, "")
    if not told or milliseconds(told) is None or seconds_of(told) == 0:
        return ""
    plain = f"{told[:10]} {told[11:19]} UTC"
    return Markup('<time datetime="{}">{}</time>').format(told, plain)
