"""Work is done again where another writer came between, or the database was away for a moment.

Nothing of it was written then, so it may be. Where nobody knows whether it was, its caller is to decide.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from mlproj.errors import Busy, Unanswered

Given = ParamSpec("Given")
Done = TypeVar("Done")

PAUSES_S = (0.01, 0.05, 0.2, 0.5, 1.0, 1.0)
"""How long is waited before each further attempt: while a database starts anew, callers only wait."""


def act(work: Callable[Given, Done], *given: Given.args, **named: Given.kwargs) -> Done:
    """What `work` does, tried again a few times. Raises what it raises at last."""
    for pause in PAUSES_S:
        try:
            return work(*given, **named)
        except Unanswered:
            raise
        except Busy:
            # Two that came between each other are not to do so again.
            time.sleep(pause * random.uniform(0.5, 1.5))
    return work(*given, **named)
