"""Changing agents: bodies are read on the loop, names are looked up without a thread, one hop commits."""

from typing import TypeVar

import orjson
from pydantic import BaseModel

from agents_app.bodies import AgentChanges, McpServerBody
from agents_app.editing import Files, add_server, change_server, remove_server
from agents_app.models import Agent
from agents_app.queries import DeleteAgent
from omnigent.api.asgi import header_values
from omnigent.api.errors import TOO_LARGE_MESSAGE
from omnigent.api.validation import parse, parse_query
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.outbound import Resolver
from omnigent.spec import AgentSpec
from sessions_app.consumers.sessions import SessionWriter, refuse_other_types, type_of
from sessions_app.flows.mcp_addresses import check_servers
from sessions_app.services import agent_writing, uploads
from sessions_app.services.receipts import Answer

Model = TypeVar("Model", bound=BaseModel)

IF_MATCH = b"if-match"
CREATED, NOTHING = 201, Answer(204, b"")


class AgentWriter(SessionWriter):
    """What the writes of agents share."""

    async def answer(self, answer: Answer) -> None:
        """Send a kept or new answer, nothing where there is nothing to say."""
        if answer.status != NOTHING.status:
            await self.json(answer.status, answer.body)
            return
        await self.start(answer.status, ((b"cache-control", b"no-store"),))
        await self.finish()

    async def upload(self) -> bytes:
        """The `bundle` part of a multipart body."""
        content_type = type_of(header_values(self.scope, b"content-type"))
        try:
            raw = await self.body()
        except OmnigentError as error:
            raise (uploads.too_large() if error.message == TOO_LARGE_MESSAGE else error) from None
        if not content_type.lower().startswith(uploads.MULTIPART):
            message = f"Unsupported content type; send {uploads.MULTIPART}"
            raise OmnigentError(ErrorCode.INVALID_INPUT, message, status=415, detail=message)
        return await self.process.pool.run(uploads.read_bundle, content_type, raw)

    def parsed(self, model: type[Model], raw: bytes) -> Model:
        """A JSON body as a model; 415 for other types."""
        refuse_other_types(type_of(header_values(self.scope, b"content-type")))
        return parse(model, raw)


class PostAgentConsumer(AgentWriter):
    """POST /v1/agents"""

    async def handle(self) -> None:
        data = await self.upload()
        # The boundary between the parts differs from try to try; what is asked for does not.
        claimed = self.claim(data)
        await self.answer(
            await self.process.pool.run(agent_writing.post_agent, self.principal, data, claimed)
        )


class PatchAgentConsumer(AgentWriter):
    """PATCH /v1/agents/{agent_id}"""

    def __init__(self, *, resolver: Resolver) -> None:
        self._resolver = resolver

    async def handle(self) -> None:
        raw = await self.body()
        agent_id = self.kwargs["agent_id"]
        await self.process.pool.run(agent_writing.changeable, self.principal, agent_id)
        changes = self.parsed(AgentChanges, raw)
        await check_servers(changes.mcp_servers or (), self._resolver)
        tags = [value.decode("latin-1") for value in header_values(self.scope, IF_MATCH)]
        if_match = ", ".join(tags) if tags else None
        answer = await self.process.pool.run(
            agent_writing.patch_agent, self.principal, agent_id, changes, if_match, self.claim(raw)
        )
        etag = orjson.loads(answer.body)["etag"].encode()
        await self.json(answer.status, answer.body, [(b"etag", etag), (b"cache-control", b"no-store")])


class DeleteAgentConsumer(AgentWriter):
    """DELETE /v1/agents/{agent_id}"""

    async def handle(self) -> None:
        raw = await self.body()
        asked = parse_query(DeleteAgent, self.scope["query_string"])
        answer = await self.process.pool.run(
            agent_writing.delete_agent,
            self.principal,
            self.kwargs["agent_id"],
            self.claim(raw),
            is_forced=asked.force,
        )
        await self.answer(answer)


class PutSessionAgentConsumer(AgentWriter):
    """PUT /v1/sessions/{session_id}/agent"""

    async def handle(self) -> None:
        session_id = self.kwargs["session_id"]
        try:
            data = await self.upload()
        except OmnigentError:
            # Whoever may not change the agent is told that first.
            await self.process.pool.run(agent_writing.editable, self.principal, session_id)
            raise
        claimed = self.claim(data)
        await self.answer(
            await self.process.pool.run(agent_writing.put_agent, self.principal, session_id, data, claimed)
        )


class McpWriter(AgentWriter):
    """What the writes of an agent's MCP servers share. `resolver` looks up where a server lies."""

    def __init__(self, *, resolver: Resolver) -> None:
        self._resolver = resolver

    @property
    def name(self) -> str:
        """The server that the address names."""
        return str(self.kwargs["name"])

    async def form(self) -> tuple[McpServerBody, bytes]:
        """The body, once the caller may change the agent and the server lies where it may."""
        raw = await self.body()
        await self.process.pool.run(agent_writing.editable, self.principal, self.kwargs["session_id"])
        form = self.parsed(McpServerBody, raw)
        await check_servers((form,), self._resolver)
        return form, raw

    async def edit(self, change: agent_writing.Change, raw: bytes, shown: str, status: int) -> None:
        """Change the bundle and answer the server that is called `shown`; nothing when that is empty."""

        def answering(_agent: Agent, spec: AgentSpec) -> Answer:
            found = next((one for one in spec.mcp_servers if one.name == shown), None)
            return NOTHING if found is None else Answer(status, orjson.dumps(found.public()))

        answer = await self.process.pool.run(
            agent_writing.edit_agent,
            self.principal,
            self.kwargs["session_id"],
            change,
            self.claim(raw),
            answering,
        )
        await self.answer(answer)


class AddMcpServerConsumer(McpWriter):
    """POST /v1/sessions/{session_id}/agent/mcp-servers"""

    async def handle(self) -> None:
        form, raw = await self.form()

        def change(files: Files) -> Files:
            return add_server(files, form)

        await self.edit(change, raw, form.name, CREATED)


class ChangeMcpServerConsumer(McpWriter):
    """PUT /v1/sessions/{session_id}/agent/mcp-servers/{name}"""

    async def handle(self) -> None:
        form, raw = await self.form()

        def change(files: Files) -> Files:
            return change_server(files, self.name, form)

        await self.edit(change, raw, form.name, 200)


class RemoveMcpServerConsumer(McpWriter):
    """DELETE /v1/sessions/{session_id}/agent/mcp-servers/{name}"""

    async def handle(self) -> None:
        raw = await self.body()

        def change(files: Files) -> Files:
            return remove_server(files, self.name)

        await self.edit(change, raw, "", 204)
