"""Makes a bare virtualenv of the Python that runs mlproj, by virtualenv as a library.

As a program it takes twice as long: it starts Python once more, and is asked what this one is. Loaded only
for the first environment of a Python, since it takes time to load.
"""

from __future__ import annotations

from pathlib import Path

import virtualenv

from mlproj.errors import EnvironmentFailed


def make_bare(folder: Path, app_data: Path, options: tuple[str, ...]) -> None:
    """A virtualenv in the new folder `folder`; `app_data` is where virtualenv keeps what it learnt.

    Raises EnvironmentFailed.
    """
    try:
        virtualenv.cli_run([*options, "--app-data", str(app_data), str(folder)], setup_logging=False)
    except (SystemExit, RuntimeError, OSError) as error:
        raise EnvironmentFailed(f"a virtualenv cannot be made: {error}") from error
