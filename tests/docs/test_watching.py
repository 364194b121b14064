"""The page about retraining is gone through."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.console import ROOT, perform, sessions

PAGE = ROOT / "docs" / "how-to" / "retrain-when-data-changes.md"


def test_the_commands_of_the_page_do_what_it_shows(tmp_path: Path) -> None:
    for name, content in re.findall(r"^```\w+\n# (\S+)\n(.*?)^```$", PAGE.read_text(), re.M | re.S):
        (tmp_path / name).write_text(content)
    for step in sessions(PAGE):
        perform(step, tmp_path)
