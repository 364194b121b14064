"""Read: the author's files become a Project, and every error names its file and line."""

from mlproj.spec.environments import MANAGERS, environment_for
from mlproj.spec.project import read_project

__all__ = ["MANAGERS", "environment_for", "read_project"]
