"""The tool gate: policy, execution on the runner, policy again."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.policies.types import Action, Phase, PolicyEvent
from sessions_app.flows.policing import holding
from sessions_app.flows.policing.evaluating import evaluate
from sessions_app.flows.policing.rounds import Hold, Subject
from sessions_app.models import HeldAction, HeldKind
from sessions_app.services import gating
from sessions_app.services.gating import Gate
from sessions_app.services.policing import held
from sessions_app.tunnels.tunnel import TunnelLost

if TYPE_CHECKING:
    from sessions_app.process import Process

EXECUTE_SECONDS = 7230.0
DENIED = -32000
TUNNEL_BROKEN = -32098
UNKNOWN_METHOD = -32601
BAD_PARAMS = -32602
APPROVED = {"type": "object", "properties": {"approved": {"type": "boolean"}}}

Json = Mapping[str, Any]


async def call(process: "Process", principal: Principal, session_id: str, request: Json) -> Json:
    """One JSON-RPC request of a runner. Raises only what concerns the session itself."""
    gate = await process.pool.run(gating.open_gate, principal, session_id)
    method = request.get("method")
    if method == "tools/call":
        return _envelope(request, await _call_tool(process, gate, request.get("params")))
    if method == "tools/list":
        return _envelope(request, await _list_tools(process, gate))
    return _envelope(request, _error(UNKNOWN_METHOD, f"Unknown method {str(method)[:100]!r}"))


def _envelope(request: Json, outcome: Json) -> Json:
    return {"jsonrpc": "2.0", "id": request.get("id"), **outcome}


def _error(code: int, message: str) -> Json:
    return {"error": {"code": code, "message": message}}


async def _call_tool(process: "Process", gate: Gate, params: Any) -> Json:
    if not isinstance(params, Mapping) or not isinstance(params.get("name"), str):
        return _error(BAD_PARAMS, "params.name must be a string")
    name, arguments = params["name"], params.get("arguments")
    if not isinstance(arguments, Mapping | None):
        return _error(BAD_PARAMS, "params.arguments must be an object")
    asked = {"name": name, "arguments": dict(arguments or {})}
    event = PolicyEvent(phase=Phase.TOOL_CALL, data=asked, target=name)
    subject = Subject(session_pk=gate.session_pk, actor=gate.actor)
    operation = str(params.get("_omnigent_operation_id") or "")
    evaluated = await evaluate(
        process, subject, event, hold=Hold(kind=HeldKind.TOOL, taker=operation), shows_denial=True
    )
    final: Any = evaluated.verdict.data if evaluated.verdict.has_data else asked
    if evaluated.held_pk is not None:
        row = await holding.looked_at(process, evaluated.held_pk)
        if row.outcome is None:
            return _input_required(gate, row)
        if row.outcome["action"] != "allow":
            return _denied(row.outcome["reason"])
        if not await process.pool.run(held.consume, row.pk, by=operation):
            return _denied("this call was approved once, and made")
        final = row.outcome.get("data", asked)
    elif evaluated.verdict.action is not Action.ALLOW:
        return _denied(evaluated.verdict.reason)
    result = await _execute(process, gate, _execution(params, _call_of(final, asked)))
    if "result" not in result:
        return result
    return await _judged(process, gate, subject, event, result["result"])


def _denied(reason: str | None) -> Json:
    return _error(DENIED, f"Denied by policy: {reason or 'no reason was given'}")


def _input_required(gate: Gate, row: HeldAction) -> Json:
    question = row.elicitation
    if question is None:
        return _denied("the question is gone")
    params = question.request.get("params", {})
    shown = {
        "message": params.get("message"),
        "requestedSchema": APPROVED,
        "mode": "url",
        "url": f"/approve/{gate.session_id}/{question.public_id}",
    }
    state = {"elicitation_id": question.public_id, "session_id": gate.session_id}
    requests = {question.public_id: {"method": "elicitation/create", "params": shown}}
    return {
        "result": {
            "resultType": "input_required",
            "inputRequests": requests,
            "requestState": orjson.dumps(state).decode(),
        }
    }


def _call_of(final: Any, asked: Json) -> Json:
    """The call to make: a policy may have rewritten all of it, or its arguments only."""
    if isinstance(final, Mapping) and isinstance(final.get("arguments"), Mapping):
        return {"name": asked["name"], "arguments": dict(final["arguments"])}
    return {"name": asked["name"], "arguments": dict(final)} if isinstance(final, Mapping) else asked


def _execution(params: Json, call_data: Json) -> Json:
    operation = {"id": params.get("_omnigent_operation_id"), "step": "initial"}
    if params.get("inputResponses") and not _is_ours(params):
        operation["step"] = "elicitation-response"
    body: dict[str, Any] = {
        "method": "tools/call",
        "params": dict(call_data),
        "_omnigent_operation": operation,
    }
    for key in ("inputResponses", "requestState"):
        if key in params and not _is_ours(params):
            body["params"][key] = params[key]
    return body


def _is_ours(params: Json) -> bool:
    """Whether the answers that come with a call are to a policy's question and not to an MCP server's."""
    try:
        state = orjson.loads(str(params.get("requestState") or "null"))
    except orjson.JSONDecodeError:
        return False
    return isinstance(state, Mapping) and set(state) == {"elicitation_id", "session_id"}


async def _execute(process: "Process", gate: Gate, body: Json) -> Json:
    """Run it on the session's runner, with the tunnel's failures told apart from the tool's."""
    try:
        answer = await process.rpc.runner(
            gate.runner_id,
            "POST",
            f"/v1/sessions/{gate.session_id}/mcp/execute",
            body=orjson.dumps(body),
            seconds=EXECUTE_SECONDS,
        )
    except TunnelLost:
        return _error(TUNNEL_BROKEN, "The connection to the runner broke during the call")
    except OmnigentError as error:
        code = TUNNEL_BROKEN if error.code is ErrorCode.RUNNER_UNAVAILABLE else DENIED
        return _error(code, error.message)
    try:
        result = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return _error(DENIED, f"The runner's answer ({answer.status}) is not JSON")
    if isinstance(result, dict) and isinstance(result.get("error"), dict):
        return {"error": result["error"]}
    if answer.status >= 400 or not isinstance(result, dict) or "result" not in result:
        return _error(DENIED, f"The runner answered {answer.status}")
    return result


async def _judged(process: "Process", gate: Gate, subject: Subject, made: PolicyEvent, result: Any) -> Json:
    """What the model is given: the result as the policies let it through."""
    if isinstance(result, Mapping) and "input_required" in result:
        return {"result": result["input_required"]}
    output = result.get("output", "") if isinstance(result, Mapping) else ""
    text = output if isinstance(output, str) else orjson.dumps(output).decode()
    event = PolicyEvent(
        phase=Phase.TOOL_RESULT, data={"result": text}, target=made.target, request_data=made.data
    )
    verdict = (await evaluate(process, subject, event)).verdict
    if verdict.action is not Action.ALLOW:
        text = f"[Result suppressed by policy: {verdict.reason or verdict.policy}]"
    elif verdict.has_data:
        text = _text_of(verdict.data)
    return {"result": {"content": [{"type": "text", "text": text}]}}


def _text_of(data: Any) -> str:
    """A rewritten result, as text or in the shape in which it was asked about."""
    found = data.get("result") if isinstance(data, Mapping) else data
    return found if isinstance(found, str) else orjson.dumps(found).decode()


async def _list_tools(process: "Process", gate: Gate) -> Json:
    result = await _execute(process, gate, {"method": "tools/list", "params": {}})
    if "result" not in result:
        return result
    schemas = result["result"].get("schemas", []) if isinstance(result["result"], Mapping) else []
    tools = [
        {"name": one.get("name"), "description": one.get("description"), "inputSchema": one.get("parameters")}
        for one in schemas
        if isinstance(one, Mapping)
    ]
    return {"result": {"tools": tools}}
