"""What a project offers."""

from __future__ import annotations

from mlproj.cli.sheet import Section
from mlproj.model.project import Project


def project_page(project: Project) -> tuple[Section, ...]:
    """The project's entry points and what each takes."""
    named = (("project", project.name),) if project.name else ()
    sections = [Section(rows=(*named, ("environment", project.environment.because)))]
    for entry in project.entry_points:
        rows = tuple(
            (
                parameter.name,
                parameter.declared_type,
                "required" if parameter.default is None else f"default {parameter.default!r}",
                parameter.description or "",
            )
            for parameter in entry.parameters
        )
        title = f"-e {entry.name}" + (f": {entry.description}" if entry.description else "")
        sections.append(Section(title=title, rows=rows or (("no parameters",),)))
    return tuple(sections)
