"""GET /v1/skills: those of the agent that a session runs, or of a directory of a host, which is asked."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson

from omnigent.api.consumer import HttpConsumer
from omnigent.api.validation import ValidationFailed, parse_query, problem
from sessions_app.bodies import SkillQuery
from sessions_app.flows import hosting
from sessions_app.running import running_process
from sessions_app.services import skills


class SkillsConsumer(HttpConsumer):
    """The agent's are in the database; nothing waits for a host on a thread."""

    async def handle(self) -> None:
        asked = parse_query(SkillQuery, self.scope["query_string"])
        process = running_process()
        if asked.session_id:
            rows = await process.pool.run(skills.of_session, self.principal, asked.session_id)
        elif asked.host_id:
            host_id = await process.pool.run(skills.host_to_ask, self.principal, asked.host_id)
            found = hosting.skills(process, host_id, harness=asked.harness, path=asked.path)
            rows = await self.unless_disconnected(found)
        else:
            raise ValidationFailed([problem("missing", ("query", "session_id"), "Field required")])
        page: Mapping[str, Any] = {"object": "list", "data": rows}
        await self.json(HTTPStatus.OK, orjson.dumps(page))
