"""The tool gate: policy, execution on the runner, policy again; and the evaluate endpoint."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.policies.types import Action, Phase, PolicyEvent, Verdict
from sessions_app.services import gating
from sessions_app.services.gating import Gate
from sessions_app.tunnels.tunnel import TunnelLost

if TYPE_CHECKING:
    from sessions_app.process import Process

EXECUTE_SECONDS = 7230.0
LIST_SECONDS = 60.0
DENIED = -32000
TUNNEL_BROKEN = -32098
UNKNOWN_METHOD = -32601
BAD_PARAMS = -32602

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
    verdict = gating.evaluate(gate, PolicyEvent(phase=Phase.TOOL_CALL, data=asked, target=name))
    if verdict.action is not Action.ALLOW:
        return _error(DENIED, f"Denied by policy: {verdict.reason or verdict.policy}")
    result = await _execute(process, gate, _execution(params, verdict.data if verdict.has_data else asked))
    if "result" not in result:
        return result
    return _judged(gate, name, asked, result["result"])


def _execution(params: Json, call_data: Json) -> Json:
    operation = {"id": params.get("_omnigent_operation_id"), "step": "initial"}
    if params.get("inputResponses"):
        operation["step"] = "elicitation-response"
    body: dict[str, Any] = {
        "method": "tools/call",
        "params": dict(call_data),
        "_omnigent_operation": operation,
    }
    for key in ("inputResponses", "requestState"):
        if key in params:
            body["params"][key] = params[key]
    return body


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


def _judged(gate: Gate, name: str, asked: Json, result: Any) -> Json:
    if isinstance(result, Mapping) and "input_required" in result:
        return {"result": result["input_required"]}
    output = result.get("output", "") if isinstance(result, Mapping) else ""
    text = output if isinstance(output, str) else orjson.dumps(output).decode()
    verdict = gating.evaluate(
        gate, PolicyEvent(phase=Phase.TOOL_RESULT, data={"result": text}, target=name, request_data=asked)
    )
    if verdict.action is Action.DENY:
        text = f"[Result suppressed by policy: {verdict.reason or verdict.policy}]"
    return {"result": {"content": [{"type": "text", "text": text}]}}


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


async def evaluate(process: "Process", principal: Principal, session_id: str, body: Json) -> Json:
    """The verdict on one event of a runner. Raises INVALID_INPUT for what is no event."""
    event = policy_event(body)
    gate = await process.pool.run(gating.open_gate, principal, session_id)
    return shown(gating.evaluate(gate, event))


def policy_event(body: Json) -> PolicyEvent:
    """The event in an evaluate body. An unknown phase is refused, so that nothing passes by a misspelling."""
    event = body.get("event")
    if not isinstance(event, Mapping) or not isinstance(event.get("type"), str):
        raise OmnigentError(ErrorCode.INVALID_INPUT, "event.type must be a string")
    phase = Phase.from_wire(event["type"])
    if phase is None:
        raise OmnigentError(ErrorCode.INVALID_INPUT, f"Unknown phase {event['type'][:100]!r}")
    data, context, request_data = event.get("data"), event.get("context"), event.get("request_data")
    if not isinstance(context, Mapping | None) or not isinstance(request_data, Mapping | None):
        raise OmnigentError(ErrorCode.INVALID_INPUT, "event.context and event.request_data must be objects")
    if phase is Phase.TOOL_CALL and not (isinstance(data, Mapping) and isinstance(data.get("name"), str)):
        raise OmnigentError(ErrorCode.INVALID_INPUT, "event.data.name must be a string")
    target = event.get("target")
    return PolicyEvent(
        phase=phase,
        data=data,
        target=target if isinstance(target, str) else None,
        context=context or {},
        request_data=request_data,
    )


def shown(verdict: Verdict) -> Json:
    """A verdict as runners read it."""
    answer: dict[str, Any] = {"result": verdict.action.wire}
    if verdict.reason is not None:
        answer["reason"] = verdict.reason
    if verdict.has_data:
        answer["data"] = verdict.data
    return answer
