"""`…/resources`: what the runner has open together with the stored files; and one thing that it has open."""

from collections.abc import Sequence

import orjson

from omnigent.api.validation import parse_query
from omnigent.errors import ErrorCode, OmnigentError
from sessions_app.consumers.resources import ResourceConsumer
from sessions_app.environment_bodies import ListResources
from sessions_app.flows import environments as environments_flow
from sessions_app.flows import resources as flow
from sessions_app.flows.resources import Request
from sessions_app.services import environments, resources
from sessions_app.services.environments import ENVIRONMENT_ID, PRIMARY, Place, Target, Use
from sessions_app.services.receipts import Answer
from sessions_app.services.resources import Row

ALL_OF_RUNNER = "limit=1000&order=asc"


class InventoryConsumer(ResourceConsumer):
    """What both share."""

    async def place(self) -> Place:
        """The session's resources, for whoever may read it."""
        return await self.process.pool.run(environments.place, self.principal, self.session_id, Use.KNOW)


class ListResourcesConsumer(InventoryConsumer):
    """GET …/resources: without a runner the files are what there is."""

    async def handle(self) -> None:
        asked = parse_query(ListResources, self.scope["query_string"])
        place = await self.place()
        rows = await self.unless_disconnected(self._open(place, asked.type))
        page = await self.process.pool.run(resources.page, place, rows, asked, asked.type)
        await self.answer(Answer(200, orjson.dumps(page)))

    async def _open(self, place: Place, wanted: str | None) -> Sequence[Row]:
        """What the runner has; nothing while there is none. Raises 502."""
        if not place.runner_id or wanted not in (None, *resources.OF_RUNNER):
            return ()
        kind = f"&type={wanted}" if wanted else ""
        try:
            answer = await flow.ask(
                self.process, place, Request(method="GET", suffix=f"?{ALL_OF_RUNNER}{kind}")
            )
        except OmnigentError as away:
            if away.status != flow.AWAY:
                raise
            return ()
        return resources.rows_of(orjson.loads(answer.body), wanted) if answer.status == flow.GIVEN else ()


class GetResourceConsumer(InventoryConsumer):
    """GET …/resources/{resource_id}, of what is not a file"""

    async def handle(self) -> None:
        resource_id = str(self.kwargs["resource_id"])
        place = await self.place()
        if ENVIRONMENT_ID.fullmatch(resource_id) is None:
            raise OmnigentError(ErrorCode.NOT_FOUND, "Not found.")
        if resource_id == PRIMARY:
            work = environments_flow.environment(self.process, place, Target())
        else:
            environments.require_runner(place)
            work = flow.ask(self.process, place, Request(method="GET", suffix=f"/{resource_id}"))
        await self.answer(await self.unless_disconnected(work))
