"""/v1/projects, their order, and the names that sessions are filed under."""

from typing import Annotated, Any

import orjson
from django.http import HttpResponse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from rest_framework.request import Request
from rest_framework.views import APIView

from omnigent.api.pagination import PageQuery
from omnigent.api.schema.describing import describes
from omnigent.api.schema.models import reference
from omnigent.api.validation import parse, parse_query
from sessions_app.api.answers import caller, json_answer
from sessions_app.api.shapes import account as shapes
from sessions_app.api.writing import answer, once
from sessions_app.models.project import PROJECT
from sessions_app.services import projects
from sessions_app.services.receipts import Answer

MAX_CONFIG = 64 * 1024
MAX_ORDERED = 10_000


def of_bearable_size(config: dict[str, Any]) -> dict[str, Any]:
    """The config, if it is no larger than a project may carry around."""
    try:
        size = len(orjson.dumps(config))
    except TypeError:
        raise ValueError("config holds a number that is too large") from None
    if size > MAX_CONFIG:
        raise ValueError(f"config must not be larger than {MAX_CONFIG} bytes")
    return config


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=256)]
Config = Annotated[dict[str, Any], AfterValidator(of_bearable_size)]


class NewProject(BaseModel):
    """POST /v1/projects."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    config: Config = Field(default_factory=dict)


class ChangedProject(BaseModel):
    """PATCH /v1/projects/{id}; null leaves a field alone."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    config: Config | None = None


class Order(BaseModel):
    """PUT /v1/projects/order; without ids the last manual order stays."""

    model_config = ConfigDict(extra="forbid")

    sort_mode: Annotated[str, StringConstraints(pattern="^(alphabetical|manual)$")]
    ordered_project_ids: Annotated[list[str], Field(max_length=MAX_ORDERED)] | None = None


NAME = reference(shapes.ProjectName)


class ProjectCollection(APIView):
    """The caller's projects."""

    @describes(shapes.ProjectPage, query=PageQuery)
    def get(self, request: Request) -> HttpResponse:
        """A page of them, newest first unless asked otherwise."""
        asked = parse_query(PageQuery, request.META["QUERY_STRING"])
        return json_answer(projects.page(caller(request), asked.page(PROJECT)))

    @describes(shapes.ProjectShape, body=NewProject)
    def post(self, request: Request) -> HttpResponse:
        """Make one; 409 for a name that the caller has used."""
        body = parse(NewProject, request.body)

        def work() -> Answer:
            made = projects.create_project(principal=caller(request), name=body.name, config=body.config)
            return answer(projects.shown(made))

        return once(request, work)


class ProjectResource(APIView):
    """One project; somebody else's is unknown."""

    @describes(shapes.ProjectShape)
    def get(self, request: Request, project_id: str) -> HttpResponse:
        """The project."""
        return json_answer(projects.shown(projects.find(caller(request), project_id)))

    @describes(shapes.ProjectShape, body=ChangedProject)
    def patch(self, request: Request, project_id: str) -> HttpResponse:
        """Rename it, or replace its config."""
        body = parse(ChangedProject, request.body)

        def work() -> Answer:
            changed = projects.update_project(
                principal=caller(request), project_id=project_id, name=body.name, config=body.config
            )
            return answer(projects.shown(changed))

        return once(request, work)

    @describes(shapes.DeletedProject)
    def delete(self, request: Request, project_id: str) -> HttpResponse:
        """Delete it; its sessions are unfiled."""

        def work() -> Answer:
            gone = projects.delete_project(principal=caller(request), project_id=project_id)
            return answer({"id": gone, "object": "project.deleted", "deleted": True})

        return once(request, work)


class ProjectOrdering(APIView):
    """How the caller's projects are ordered."""

    @describes(shapes.ProjectOrderShape)
    def get(self, request: Request) -> HttpResponse:
        """The mode, and the manual order."""
        return json_answer(projects.order(caller(request)))

    @describes(shapes.ProjectOrderShape, body=Order, refuses=(404,))
    def put(self, request: Request) -> HttpResponse:
        """Choose the mode, and the manual order."""
        body = parse(Order, request.body)

        def work() -> Answer:
            chosen = projects.set_order(
                principal=caller(request), sort_mode=body.sort_mode, project_ids=body.ordered_project_ids
            )
            return answer(chosen)

        return once(request, work)


class ProjectNames(APIView):
    """What sessions can be filed under."""

    @describes({"type": "array", "items": NAME})
    def get(self, request: Request) -> HttpResponse:
        """Projects in the caller's order, then names that only labels hold; those have no id."""
        return json_answer(projects.names(caller(request)))
