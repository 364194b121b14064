"""Which environment a project is to have here: what it names, as the person who asks wants it."""

from __future__ import annotations

from msgspec.structs import replace

from mlproj.model.environment import DockerSpec, EnvironmentSpec
from mlproj.model.events import Note
from mlproj.model.project import Project
from mlproj.services.request import Context
from mlproj.spec import environment_for


def specified(context: Context, project: Project, written: tuple[str, ...] = ()) -> EnvironmentSpec:
    """The environment to run in; a container with what the request says of it, and without `written` in an
    image of the project."""
    request, directory = context.request, context.checkout.directory
    specification = environment_for(project, directory, request.environment_manager)
    if isinstance(specification, DockerSpec):
        return replace(
            specification,
            arguments=request.docker_arguments,
            code_inside=request.build_image,
            title=project.name or directory.name,
            products=written,
        )
    if isinstance(project.environment, DockerSpec):
        message = f"this is no run in a container, although the project asks for one: {specification.because}"
        context.report(Note(message=message))
    for option, given in (("-A", request.docker_arguments), ("--build-image", request.build_image)):
        if given:
            message = f"`{option}` means nothing to this project's environment, and is ignored"
            context.report(Note(message=message))
    return specification
