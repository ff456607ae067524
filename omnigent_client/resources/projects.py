"""/v1/projects: the caller's own folders for sessions."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from omnigent_client.decoding import read
from omnigent_client.errors import InvalidAnswerError
from omnigent_client.pages import Page, read_page
from omnigent_client.records.server import Project, ProjectOrder
from omnigent_client.records.sessions import Deleted
from omnigent_client.resources.base import Resource
from omnigent_client.transport.http import path_of


class Projects(Resource):
    """Personal: nobody else sees them."""

    async def list(self) -> Page[Project]:
        """All of them."""
        answer = await self._get("/v1/projects")
        return read_page(Project, {"data": answer} if isinstance(answer, list) else answer)

    async def in_use(self) -> tuple[Project, ...]:
        """The projects that sessions are filed in; one that is only a label has no id."""
        answer = await self._get("/v1/sessions/projects")
        if not isinstance(answer, list):
            raise InvalidAnswerError("projects in use are a list")
        return tuple(read(Project, one) for one in answer)

    async def create(
        self, name: str, *, config: Mapping[str, Any] | None = None, idempotency_key: str | None = None
    ) -> Project:
        """A new one; names are unique."""
        body = {"name": name, "config": config, "idempotency_key": idempotency_key}
        return read(Project, await self._write("POST", "/v1/projects", body))

    async def get(self, project_id: str) -> Project:
        """One of them."""
        return read(Project, await self._get(path_of("projects", project_id)))

    async def update(
        self, project_id: str, *, name: str | None = None, config: Mapping[str, Any] | None = None
    ) -> Project:
        """Rename or configure it."""
        body = {"name": name, "config": config}
        return read(Project, await self._write("PATCH", path_of("projects", project_id), body))

    async def delete(self, project_id: str) -> Deleted:
        """Delete the folder; its sessions stay and are filed nowhere."""
        return read(Deleted, await self._write("DELETE", path_of("projects", project_id)))

    async def order(self) -> ProjectOrder:
        """How they are sorted."""
        return read(ProjectOrder, await self._get("/v1/projects/order"))

    async def set_order(
        self, sort_mode: Literal["alphabetical", "manual"], ordered_project_ids: Sequence[str] = ()
    ) -> ProjectOrder:
        """Sort them otherwise."""
        body = {"sort_mode": sort_mode, "ordered_project_ids": tuple(ordered_project_ids)}
        return read(ProjectOrder, await self._write("PUT", "/v1/projects/order", body))
