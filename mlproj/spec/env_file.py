"""Files of variables in dotenv's notation, as MLflow reads them. Loaded where one is given."""

from __future__ import annotations

import io
from pathlib import Path

from dotenv.main import DotEnv
from dotenv.parser import parse_stream

from mlproj.errors import SpecError, UsageError
from mlproj.spec import text


def read_env_file(path: Path) -> dict[str, str]:
    """The variables in a file; a name that stands there alone sets nothing. `${NAME}` is what is set already,
    else what stands above.

    Raises UsageError where the file cannot be read, or a line of it is none that says what a variable is.
    """
    try:
        content = text.read(path.absolute().parent, path.name)
    except SpecError as error:
        raise UsageError(f"`--env-file {path}`: {error.sentence}", hint=error.hint) from error
    for binding in parse_stream(io.StringIO(content)):
        if binding.error or "\0" in binding.original.string:
            raise UsageError(
                f"`{path}` has a line that sets no variable ({path}:{binding.original.line})",
                hint='such as `NAME=value` or `NAME="a value with blanks"`',
            )
    found = DotEnv(dotenv_path=None, stream=io.StringIO(content), override=False).dict()
    return {name: value for name, value in found.items() if value is not None}
