"""What commands about registered models take, said once."""

from __future__ import annotations

from typing import Annotated

import typer

from mlproj.errors import UsageError

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Of a registered model.")]
VersionArgument = Annotated[
    str,
    typer.Argument(
        metavar="VERSION", help="`NAME/NUMBER`, `NAME@ALIAS` or `NAME/STAGE`; with `NAME` alone, the newest."
    ),
]
ThingArgument = Annotated[
    str, typer.Argument(metavar="NAME[/VERSION]", help="A registered model, or a version: `wine/2`.")
]
WhyOption = Annotated[str, typer.Option("--why", metavar="TEXT", help="Kept on the record.")]
ArchiveOption = Annotated[
    bool, typer.Option("--archive-existing", help="Archive the other versions in that stage.")
]


def read_pair(text: str) -> tuple[str, str]:
    """The key and the value of a tag. Raises UsageError."""
    key, separator, value = text.partition("=")
    if not key or not separator:
        raise UsageError(f"`{text}` is no tag", hint="write `KEY=VALUE`")
    return key, value
