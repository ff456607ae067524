"""Every method that is one plain request, and that request."""

from dataclasses import dataclass, field
from typing import Any

SESSION = {"id": "conv_1", "agent_id": "ag_1", "status": "idle", "created_at": 1}
ITEM = {"id": "item_1", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
AGENT = {"id": "ag_1", "name": "plain", "created_at": 1}
POLICY = {"id": "pol_1", "name": "p", "handler": "a.b", "type": "python", "enabled": True}
FILE = {"id": "file_1", "filename": "a.txt", "bytes": 2, "metadata": {"filename": "a.txt"}}
TERMINAL = {"id": "terminal_shell_main", "name": "shell", "metadata": {"running": True}}
COMMENT = {"id": "c_1", "path": "a.py", "body": "Why?", "status": "draft"}
PROJECT = {"id": "proj_1", "name": "P"}
QUEUED = {"queued": True, "item_id": "item_1"}
GRANT = {"user_id": "ann", "level": 2, "conversation_id": "conv_1"}
LIVE = {"include_items": "false", "include_liveness": "false"}
S = "/v1/sessions/conv_1"


def listed(*rows: object) -> dict[str, Any]:
    """One page."""
    return {"object": "list", "data": list(rows), "first_id": None, "last_id": None, "has_more": False}


def event(type_: str, **data: Any) -> dict[str, Any]:
    """The body of a posted event."""
    return {"type": type_, "data": data}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A call and the request that it makes."""

    name: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    sends: str
    body: Any = None
    params: dict[str, str] = field(default_factory=dict)
    answer: Any = None


def case(name: str, sends: str, answer: Any, /, *args: Any, body: Any = None, **more: Any) -> Case:
    """A row of the table; `params` is the expected query, everything else goes to the method."""
    params = more.pop("params", {})
    return Case(name=name, sends=sends, answer=answer, args=args, body=body, params=params, kwargs=more)


CASES = [
    case("sessions.list", "GET /v1/sessions", listed(SESSION)),
    case(
        "sessions.list",
        "GET /v1/sessions",
        listed(SESSION),
        limit=5,
        order="asc",
        pinned=True,
        search_query="a b",
        params={"limit": "5", "order": "asc", "pinned": "true", "search_query": "a b"},
    ),
    case("sessions.iter", "GET /v1/sessions", listed(SESSION), kind="any", params={"kind": "any"}),
    case(
        "sessions.list_all", "GET /v1/sessions", listed(SESSION), after="conv_0", params={"after": "conv_0"}
    ),
    case(
        "sessions.get",
        f"GET {S}",
        SESSION,
        "conv_1",
        params={"include_items": "true", "include_liveness": "true"},
    ),
    case(
        "sessions.create_from_agent_id",
        "POST /v1/sessions",
        SESSION,
        "ag_1",
        title="T",
        body={"agent_id": "ag_1", "title": "T"},
    ),
    case(
        "sessions.update",
        f"PATCH {S}",
        SESSION,
        "conv_1",
        labels={"a": "b"},
        title=None,
        body={"labels": {"a": "b"}},
    ),
    case("sessions.set_title", f"PATCH {S}", SESSION, "conv_1", "T", body={"title": "T"}),
    case("sessions.set_labels", f"PATCH {S}", SESSION, "conv_1", {"a": "b"}, body={"labels": {"a": "b"}}),
    case(
        "sessions.set_reasoning_effort",
        f"PATCH {S}",
        SESSION,
        "conv_1",
        "high",
        body={"reasoning_effort": "high"},
    ),
    case(
        "sessions.set_reasoning_effort",
        f"PATCH {S}",
        SESSION,
        "conv_1",
        None,
        body={"reasoning_effort": "default"},
    ),
    case(
        "sessions.set_model_override", f"PATCH {S}", SESSION, "conv_1", "m-1", body={"model_override": "m-1"}
    ),
    case("sessions.set_archived", f"PATCH {S}", SESSION, "conv_1", body={"archived": True}),
    case("sessions.set_archived", f"PATCH {S}", SESSION, "conv_1", False, body={"archived": False}),
    case(
        "sessions.set_external_session_id",
        f"PATCH {S}",
        SESSION,
        "conv_1",
        "x",
        body={"external_session_id": "x"},
    ),
    case("sessions.set_project", f"PATCH {S}", SESSION, "conv_1", None, body={"project_id": ""}),
    case(
        "sessions.bind_runner",
        f"PATCH {S}",
        SESSION,
        "conv_1",
        runner_id="runner_1",
        body={"runner_id": "runner_1"},
    ),
    case("sessions.unbind_runner", f"PATCH {S}", SESSION, "conv_1", body={"runner_id": ""}),
    case("sessions.delete", f"DELETE {S}", {"id": "conv_1", "deleted": True}, "conv_1"),
    case(
        "sessions.delete",
        f"DELETE {S}",
        {"deleted": True},
        "conv_1",
        delete_branch=True,
        params={"delete_branch": "true"},
    ),
    case(
        "sessions.fork",
        f"POST {S}/fork",
        SESSION,
        "conv_1",
        title="My fork",
        up_to_response_id="resp_xyz",
        body={"title": "My fork", "up_to_response_id": "resp_xyz"},
    ),
    case("sessions.fork", f"POST {S}/fork", SESSION, "conv_1", body={}),
    case(
        "sessions.switch_agent",
        f"POST {S}/switch-agent",
        SESSION,
        "conv_1",
        "ag_2",
        body={"agent_id": "ag_2"},
    ),
    case(
        "sessions.set_read_state",
        f"PUT {S}/read-state",
        None,
        "conv_1",
        last_seen=7,
        body={"last_seen": 7, "unread": False},
    ),
    case(
        "sessions.auto_title",
        f"POST {S}/auto-title",
        {"renamed": True, "title": "T"},
        "conv_1",
        "T",
        body={"title": "T"},
    ),
    case(
        "sessions.reset_model_override",
        f"POST {S}/model-override/reset",
        {"reset": True},
        "conv_1",
        "m-1",
        body={"expected_model_override": "m-1"},
    ),
    case("sessions.export", f"GET {S}/export", {"version": 1}, "conv_1"),
    case(
        "sessions.export",
        f"GET {S}/export",
        {"version": 1},
        "conv_1",
        format="markdown",
        params={"format": "markdown"},
    ),
    case(
        "sessions.import_",
        "POST /v1/sessions/import",
        {"session_id": "conv_2"},
        b'{"version": 1}',
        body={"version": 1},
    ),
    case(
        "sessions.post_event", f"POST {S}/events", QUEUED, "conv_1", event("new", a=1), body=event("new", a=1)
    ),
    case(
        "sessions.post_events",
        f"POST {S}/events",
        [QUEUED],
        "conv_1",
        [event("interrupt")],
        body=[event("interrupt")],
    ),
    case(
        "sessions.post_held",
        f"POST {S}/events",
        QUEUED,
        "conv_1",
        event("new"),
        idempotency_key="k",
        body=event("new"),
    ),
    case(
        "sessions.send_message",
        f"POST {S}/events",
        QUEUED,
        "conv_1",
        "Hi",
        model_override="m",
        body={
            **event("message", role="user", content=[{"type": "input_text", "text": "Hi"}]),
            "model_override": "m",
        },
    ),
    case("sessions.interrupt", f"POST {S}/events", {"queued": False}, "conv_1", body=event("interrupt")),
    case("sessions.compact", f"POST {S}/events", {"queued": False}, "conv_1", body=event("compact")),
    case("sessions.stop", f"POST {S}/events", {"queued": False}, "conv_1", body=event("stop_session")),
    case(
        "sessions.retry",
        f"POST {S}/events",
        {"queued": False, "recovered": True},
        "conv_1",
        body=event("retry_session"),
    ),
    case(
        "sessions.slash_command",
        f"POST {S}/events",
        QUEUED,
        "conv_1",
        "triage",
        "all",
        body=event("slash_command", kind="skill", name="triage", arguments="all"),
    ),
    case(
        "sessions.send_tool_output",
        f"POST {S}/events",
        QUEUED,
        "conv_1",
        "call_1",
        "ok",
        body=event("function_call_output", call_id="call_1", output="ok"),
    ),
    case(
        "sessions.resolve_elicitation",
        f"POST {S}/elicitations/elicit_1/resolve",
        {"queued": False},
        "conv_1",
        "elicit_1",
        "accept",
        {"a": 1},
        body={"action": "accept", "content": {"a": 1}},
    ),
    case("sessions.list_items", f"GET {S}/items", listed(ITEM), "conv_1", limit=3, params={"limit": "3"}),
    case("sessions.iter_items", f"GET {S}/items", listed(ITEM), "conv_1"),
    case(
        "sessions.all_items", f"GET {S}/items", listed(ITEM), "conv_1", order="desc", params={"order": "desc"}
    ),
    case("sessions.child_sessions", f"GET {S}/child_sessions", listed({"id": "conv_2"}), "conv_1"),
    case("sessions.iter_child_sessions", f"GET {S}/child_sessions", listed({"id": "conv_2"}), "conv_1"),
    case("sessions.labels", f"GET {S}/labels", {"id": "conv_1", "labels": {"a": "b"}}, "conv_1"),
    case("sessions.owner", f"GET {S}/owner", {"owner": None}, "conv_1"),
    case("sessions.agent", f"GET {S}/agent", AGENT, "conv_1"),
    case("sessions.agent_contents", f"GET {S}/agent/contents", {}, "conv_1"),
    case("agents.list", "GET /v1/agents", listed(AGENT), limit=1000, params={"limit": "1000"}),
    case("agents.iter", "GET /v1/agents", listed(AGENT)),
    case("agents.list_all", "GET /v1/agents", listed(AGENT)),
    case("agents.get", "GET /v1/agents/ag_1", AGENT, "ag_1"),
    case(
        "agents.delete",
        "DELETE /v1/agents/ag_1",
        {"deleted": True},
        "ag_1",
        force=True,
        params={"force": "true"},
    ),
    case("policies.list", "GET /v1/policies", listed(POLICY)),
    case(
        "policies.create",
        "POST /v1/policies",
        POLICY,
        name="p",
        handler="a.b",
        factory_params={"limit": 1},
        body={"name": "p", "type": "python", "handler": "a.b", "factory_params": {"limit": 1}},
    ),
    case("policies.get", "GET /v1/policies/pol_1", POLICY, "pol_1"),
    case(
        "policies.update", "PATCH /v1/policies/pol_1", POLICY, "pol_1", enabled=False, body={"enabled": False}
    ),
    case("policies.delete", "DELETE /v1/policies/pol_1", None, "pol_1"),
    case("policies.registry", "GET /v1/policy-registry", listed({"handler": "a.b"})),
    case("policies.sessions.list", f"GET {S}/policies", listed(POLICY), "conv_1"),
    case(
        "policies.sessions.create",
        f"POST {S}/policies",
        POLICY,
        "conv_1",
        name="p",
        handler="https://a.test",
        type="url",
        body={"name": "p", "type": "url", "handler": "https://a.test"},
    ),
    case("policies.sessions.get", f"GET {S}/policies/pol_1", POLICY, "conv_1", "pol_1"),
    case(
        "policies.sessions.update",
        f"PATCH {S}/policies/pol_1",
        POLICY,
        "conv_1",
        "pol_1",
        name="q",
        body={"name": "q"},
    ),
    case("policies.sessions.delete", f"DELETE {S}/policies/pol_1", {"deleted": True}, "conv_1", "pol_1"),
    case("files.list", f"GET {S}/resources/files", listed(FILE), "conv_1"),
    case("files.iter", f"GET {S}/resources/files", listed(FILE), "conv_1"),
    case("files.list_all", f"GET {S}/resources/files", listed(FILE), "conv_1"),
    case("files.get", f"GET {S}/resources/files/file_1", FILE, "conv_1", "file_1"),
    case("files.content", f"GET {S}/resources/files/file_1/content", {}, "conv_1", "file_1"),
    case("files.delete", f"DELETE {S}/resources/files/file_1", {"deleted": True}, "conv_1", "file_1"),
    case(
        "files.copy",
        f"POST {S}/resources/files:copy",
        {"mapping": {"file_1": {"new_id": "file_2"}}},
        "conv_1",
        source_session_id="conv_0",
        file_ids=["file_1"],
        body={"source_session_id": "conv_0", "file_ids": ["file_1"]},
    ),
    case("terminals.list", f"GET {S}/resources/terminals", listed(TERMINAL), "conv_1"),
    case(
        "terminals.create",
        f"POST {S}/resources/terminals",
        TERMINAL,
        "conv_1",
        "shell",
        "two",
        cwd="src",
        body={"terminal": "shell", "session_key": "two", "cwd": "src"},
    ),
    case("terminals.get", f"GET {S}/resources/terminals/t_1", TERMINAL, "conv_1", "t_1"),
    case("terminals.delete", f"DELETE {S}/resources/terminals/t_1", {"deleted": True}, "conv_1", "t_1"),
    case("elicitations.list", f"GET {S}", {**SESSION, "pending_elicitations": []}, "conv_1", params=LIVE),
    case("elicitations.get", f"GET {S}/elicitations/elicit_1", {"status": "pending"}, "conv_1", "elicit_1"),
    case(
        "elicitations.resolve",
        f"POST {S}/elicitations/elicit_1/resolve",
        {"queued": False},
        "conv_1",
        "elicit_1",
        "decline",
        body={"action": "decline"},
    ),
    case("projects.list", "GET /v1/projects", listed(PROJECT)),
    case("projects.in_use", "GET /v1/sessions/projects", [{"id": None, "name": "L", "icon": None}]),
    case("projects.create", "POST /v1/projects", PROJECT, "P", body={"name": "P"}),
    case("projects.get", "GET /v1/projects/proj_1", PROJECT, "proj_1"),
    case("projects.update", "PATCH /v1/projects/proj_1", PROJECT, "proj_1", name="Q", body={"name": "Q"}),
    case("projects.delete", "DELETE /v1/projects/proj_1", {"deleted": True}, "proj_1"),
    case(
        "projects.order", "GET /v1/projects/order", {"sort_mode": "manual", "ordered_project_ids": ["proj_1"]}
    ),
    case(
        "projects.set_order",
        "PUT /v1/projects/order",
        {"sort_mode": "manual"},
        "manual",
        ["proj_1"],
        body={"sort_mode": "manual", "ordered_project_ids": ["proj_1"]},
    ),
    case("permissions.list", f"GET {S}/permissions", {"permissions": [GRANT], "next_cursor": None}, "conv_1"),
    case(
        "permissions.grant",
        f"PUT {S}/permissions",
        GRANT,
        "conv_1",
        "ann",
        2,
        body={"user_id": "ann", "level": 2},
    ),
    case("permissions.revoke", f"DELETE {S}/permissions/ann", None, "conv_1", "ann"),
    case("comments.list", f"GET {S}/comments", [COMMENT], "conv_1"),
    case(
        "comments.create",
        f"POST {S}/comments",
        COMMENT,
        "conv_1",
        path="a.py",
        body_text="Why?",
        start_index=0,
        end_index=3,
        body={"path": "a.py", "body": "Why?", "start_index": 0, "end_index": 3},
    ),
    case(
        "comments.update",
        f"PATCH {S}/comments/c_1",
        COMMENT,
        "conv_1",
        "c_1",
        status="addressed",
        body={"status": "addressed"},
    ),
    case("comments.delete", f"DELETE {S}/comments/c_1", {"deleted": True}, "conv_1", "c_1"),
    case(
        "comments.send",
        f"POST {S}/comments/send",
        {"formatted_message": "m", "sent_comment_ids": ["c_1"]},
        "conv_1",
        ["c_1"],
        instruction="Fix",
        body={"comment_ids": ["c_1"], "instruction": "Fix"},
    ),
    case("hosts.list", "GET /v1/hosts", {"hosts": [{"host_id": "h1", "status": "online"}]}),
    case("hosts.get", "GET /v1/hosts/h1", {"host_id": "h1", "status": "offline"}, "h1"),
    case("runners.list", "GET /v1/runners", {"data": [{"runner_id": "r1", "online": True, "harnesses": []}]}),
    case("runners.status", "GET /v1/runners/r1/status", {"online": False}, "r1"),
    case("usage.get", "GET /v1/usage", {"cost_today": None, "sessions": []}),
    case(
        "server.health",
        "GET /health",
        {"status": "ok"},
        session_ids=["a", "b"],
        params={"session_ids": "a,b"},
    ),
    case("server.info", "GET /v1/info", {"server_version": "1", "features": {}}),
    case("server.me", "GET /v1/me", {"user_id": "local", "is_admin": True}),
    case("server.version", "GET /api/version", {"version": "1"}),
    case("server.sharing", "GET /v1/sharing", {"mode": "on"}),
    case("server.request", "GET /v1/new", {"a": 1}, "get", "/v1/new", params_={"b": 1}, params={"b": "1"}),
]
