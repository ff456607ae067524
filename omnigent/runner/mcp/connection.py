"""One connection to an MCP server, through the official package. Loaded when a session first needs it."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, Final

import httpx2
from anyio import BrokenResourceError, ClosedResourceError
from mcp import Client, MCPError
from mcp.client.session import ClientRequestContext, ClientSession
from mcp.shared.dispatcher import ProgressFnT
from mcp_types import (
    CONNECTION_CLOSED,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    UNSUPPORTED_PROTOCOL_VERSION,
    CallToolResult,
    ElicitRequest,
    ElicitRequestParams,
    ElicitRequestURLParams,
    ElicitResult,
    ErrorData,
    Implementation,
    InputRequiredResult,
    InputResponses,
    PaginatedRequestParams,
)
from pydantic import ValidationError

from omnigent.runner.approvals import Answer
from omnigent.runner.mcp.base import Caller, Definition, McpFault, ServerTool
from omnigent.runner.mcp.content import text_of
from omnigent.runner.mcp.http import http_streams
from omnigent.runner.mcp.stdio import StdioServer
from omnigent.runner.tools.base import ToolError
from omnigent.runner.tools.reaper import Reaper
from omnigent.version import VERSION

log = logging.getLogger(__name__)

MOST_TOOLS: Final = 512
LONGEST_DESCRIPTION: Final = 8 * 1024
_MOST_PAGES: Final = 50
_MOST_ROUNDS: Final = 20
_STATE_PAUSE: Final = 0.2
# Most servers ask their questions in the way of the first generation, which one that speaks both gives up
# once it is met in the second.
_MODES: Final = ("legacy", "auto")
_SESSION_GONE: Final = "Session terminated"
_LOST: Final = (httpx2.TransportError, BrokenResourceError, ClosedResourceError)

# These log what servers send, with tracebacks, and addresses with their queries.
for _chatty in ("mcp", "client", "httpx2"):
    logging.getLogger(_chatty).setLevel(logging.CRITICAL)


class McpConnection:
    """Calls of any number of sessions over one client."""

    def __init__(self, definition: Definition, stdio: StdioServer | None) -> None:
        self._definition = definition
        self._stdio = stdio
        self._client: Client | None = None
        self._callers: list[Caller] = []
        self._lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def tools(self) -> Sequence[ServerTool]:
        """At most MOST_TOOLS."""
        found: list[ServerTool] = []
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            with self._told():
                page = await self._session.list_tools(params=PaginatedRequestParams(cursor=cursor))
            found += [
                ServerTool(
                    name=tool.name,
                    description=(tool.description or tool.title or "")[:LONGEST_DESCRIPTION],
                    parameters={**tool.input_schema, "type": "object"},
                )
                for tool in page.tools
            ]
            cursor = page.next_cursor
            if cursor is None or len(found) >= MOST_TOOLS:
                break
        return found[:MOST_TOOLS]

    async def call(self, name: str, arguments: Mapping[str, Any], caller: Caller) -> str:
        """Also asks, as often as the server wants to know something."""
        responses: InputResponses | None = None
        state: str | None = None
        self._callers.append(caller)
        try:
            for _ in range(_MOST_ROUNDS):
                with self._told():
                    result = await self._session.call_tool(
                        name,
                        dict(arguments),
                        progress_callback=_progress(caller),
                        input_responses=responses,
                        request_state=state,
                        allow_input_required=True,
                    )
                if isinstance(result, CallToolResult):
                    return self._output(result)
                responses, state = await self._answers(result, caller), result.request_state
        finally:
            self._callers.remove(caller)
        raise ToolError(f"the server asked more than {_MOST_ROUNDS} times")

    @property
    def is_lost(self) -> bool:
        return self._lost.done() or (self._stdio is not None and self._stdio.is_over)

    async def ended(self) -> str:
        if self._stdio is None:
            return await self._lost
        await self._stdio.ended()
        log.debug("mcp server ended", extra={"stderr": self._stdio.stderr()})
        return self._stdio.fault or "it was ended"

    def open(self, client: Client) -> None:
        """The handshake is done."""
        self._client = client

    async def elicit(
        self, context: ClientRequestContext, params: ElicitRequestParams
    ) -> ElicitResult | ErrorData:
        """A question of a server of the first generation, which does not say to which call it belongs."""
        sessions = {caller.session_id for caller in self._callers}
        if len(sessions) != 1:
            return ErrorData(code=INVALID_REQUEST, message="it cannot be told who is to answer")
        answers = await self._callers[0].ask({"question": _form(params)})
        return _reply(answers["question"])

    # -- inside ----------------------------------------------------------------------------------------

    @property
    def _session(self) -> ClientSession:
        assert self._client is not None
        return self._client.session

    def _lose(self, why: str) -> McpFault:
        """There will be no more answers."""
        said = self._definition.told((self._stdio.fault if self._stdio else None) or why)
        if not self._lost.done():
            self._lost.set_result(said)
        return McpFault(said)

    def _output(self, result: CallToolResult) -> str:
        text = text_of(result)
        if result.is_error:
            raise ToolError(text or "the tool failed without a word")
        return text

    async def _answers(self, result: InputRequiredResult, caller: Caller) -> InputResponses | None:
        requests = result.input_requests or {}
        if not requests:
            await asyncio.sleep(_STATE_PAUSE)
            return None
        forms: dict[str, Mapping[str, Any]] = {}
        for key, request in requests.items():
            if not isinstance(request, ElicitRequest):
                raise ToolError(f"the server asks for {request.method}, which is not offered")
            forms[key] = _form(request.params)
        answers = await caller.ask(forms)
        return {key: _reply(answers[key]) for key in forms}

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what the package raises into faults; a lost connection is remembered."""
        try:
            yield
        except MCPError as exc:
            if exc.code == CONNECTION_CLOSED or exc.message == _SESSION_GONE:
                raise self._lose(exc.message) from exc
            raise ToolError(self._definition.told(exc.message)) from exc
        except _LOST as exc:
            raise self._lose(str(exc) or type(exc).__name__) from exc
        except (RuntimeError, ValidationError) as exc:
            raise ToolError(
                f"the server's answer cannot be used: {self._definition.told(_words(exc))}"
            ) from exc


@asynccontextmanager
async def opened(definition: Definition, reaper: Reaper) -> AsyncGenerator[McpConnection]:
    """A connection whose handshake is done. Raises McpFault when there is none."""
    async with AsyncExitStack() as stack:
        yield await _entered(stack, definition, reaper)


async def _entered(stack: AsyncExitStack, definition: Definition, reaper: Reaper) -> McpConnection:
    for mode in _MODES:
        stdio = StdioServer(definition, reaper) if definition.transport == "stdio" else None
        connection = McpConnection(definition, stdio)
        client = Client(
            stdio or http_streams(definition),
            mode=mode,
            cache=None,
            elicitation_callback=connection.elicit,
            client_info=Implementation(name="omnigent", version=VERSION),
        )
        try:
            connection.open(await stack.enter_async_context(client))
        except Exception as exc:
            # Whatever it is, it is about this server only.
            if mode != _MODES[-1] and _is_of_another_generation(exc):
                continue
            fault = (stdio.fault if stdio else None) or _words(exc)
            if stdio is not None:
                log.debug("mcp server did not start", extra={"stderr": stdio.stderr()})
            raise McpFault(definition.told(fault)) from exc
        return connection
    raise AssertionError("unreachable")


def _is_of_another_generation(exc: Exception) -> bool:
    first = _first(exc)
    return isinstance(first, MCPError) and first.code in {UNSUPPORTED_PROTOCOL_VERSION, METHOD_NOT_FOUND}


def _progress(caller: Caller) -> ProgressFnT:
    async def told(progress: float, total: float | None, message: str | None) -> None:
        caller.alive()

    return told


def _form(params: ElicitRequestParams) -> Mapping[str, Any]:
    """The question as a form. One that sends a person elsewhere becomes a form without fields."""
    if isinstance(params, ElicitRequestURLParams):
        message = f"{params.message}\n\nGo to {params.url} and accept this when you have finished there."
        return {"mode": "form", "message": message, "requestedSchema": {"type": "object", "properties": {}}}
    return {"mode": "form", "message": params.message, "requestedSchema": dict(params.requested_schema)}


def _reply(answer: Answer) -> ElicitResult:
    if answer.action != "accept":
        return ElicitResult(action="decline" if answer.action == "decline" else "cancel")
    return ElicitResult(action="accept", content=dict(answer.content))


def _first(exc: BaseException) -> BaseException:
    """The exception, of a group its first member."""
    while isinstance(exc, BaseExceptionGroup):
        exc = exc.exceptions[0]
    return exc


def _words(exc: BaseException) -> str:
    first = _first(exc)
    return str(first).partition("\n")[0] or type(first).__name__
