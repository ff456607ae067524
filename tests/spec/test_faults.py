"""Every fault that an author can make is refused with the path of the key and the reason."""

from typing import Any

import pytest

from tests.spec.documents import Document, directory, problems, single, vendor


def executor(**fields: Any) -> Document:
    return directory(executor={"config": {"harness": "scripted"}, **fields})


def policy(**fields: Any) -> Document:
    return directory(guardrails={"policies": {"x": fields}})


def label(row: Any) -> Document:
    return directory(guardrails={"labels": {"x": row}})


def tool(**fields: Any) -> Document:
    return directory(tools={"x": fields})


def sandbox(**fields: Any) -> Document:
    return directory(os_env={"sandbox": fields})


DOCUMENTS: list[tuple[str, Document, list[str]]] = [
    ("version absent", {"name": "a", "executor": {"config": {"harness": "pi"}}},
     ["spec_version: required field"]),
    ("version as text", directory(spec_version="1"), ["spec_version: must be 1"]),
    ("version 2", directory(spec_version=2), ["spec_version: must be 1"]),
    ("version true", directory(spec_version=True), ["spec_version: must be 1"]),
    ("version 1.0", directory(spec_version=1.0), ["spec_version: must be 1"]),
    ("name with blank", directory(name="b c"), ["name: only letters"]),
    ("name with newline", directory(name="a\n"), ["name: only letters"]),
    ("name too long", directory(name="x" * 257), ["name: only letters"]),
    ("name reserved", directory(name="ui"), ["name: 'ui' is reserved"]),
    ("name absent", directory(name=None), ["name: required"]),
    ("executor absent", directory(executor=None), ["executor.config.harness: required, one of acp"]),
    ("executor without harness", directory(executor={}), ["executor.config.harness: required"]),
    ("harness unknown", directory(executor={"config": {"harness": "zap"}}),
     ["executor.config.harness: unknown harness 'zap', one of acp, "]),
    ("executor type unknown", directory(executor={"type": "zap"}),
     ["executor.type: unsupported 'zap', one of omnigent, claude_sdk, agents_sdk",
      "executor.config.harness: required"]),
    ("executor as text", directory(executor="x"),
     ["executor: must be a mapping, got text", "executor.config.harness: required"]),
    ("executor as list", directory(executor=[]),
     ["executor: must be a mapping, got a list", "executor.config.harness: required"]),
    ("executor config as list", directory(executor={"config": []}),
     ["executor.config: must be a mapping", "executor.config.harness: required"]),
    ("connection with claude_sdk", directory(executor={"type": "claude_sdk", "connection": {"a": "b"}}),
     ["executor.connection: not allowed with type claude_sdk"]),
    ("effort", executor(reasoning_effort="so"),
     ["executor.reasoning_effort: unsupported 'so', one of none, minimal, low"]),
    ("context window", executor(context_window=0), ["executor.context_window: must be >= 1"]),
    ("executor timeout", executor(timeout=0), ["executor.timeout: must be > 0"]),
    ("iterations", executor(max_iterations=0), ["executor.max_iterations: must be >= 1"]),
    ("auth type", executor(auth={"type": "magic"}), ["executor.auth.type: unsupported 'magic'"]),
    ("auth without key", executor(auth={"type": "api_key"}), ["executor.auth.api_key: required"]),
    ("auth without profile", executor(auth={"type": "databricks"}), ["executor.auth.profile: required"]),
    ("auth without name", executor(auth={"type": "provider"}), ["executor.auth.name: required"]),
    ("prompt mode", directory(executor={"config": {"harness": "pi", "system_prompt_mode": "mix"}}),
     ["executor.config.system_prompt_mode: unsupported 'mix', one of append, replace"]),
    ("llm without model", directory(llm={"profile": "p"}), ["llm.model: required"]),
    ("llm as list", directory(llm=[]), ["llm: must be a mapping"]),
    ("too many retries", directory(tools={"retry": {"max_retries": 21}}),
     ["tools.retry.max_retries: must be <= 20"]),
    ("negative retries", directory(tools={"retry": {"max_retries": -1}}),
     ["tools.retry.max_retries: must be >= 0"]),
    ("status codes", directory(tools={"retry": {"retryable_status_codes": ["x"]}}),
     ["tools.retry.retryable_status_codes: must be a list of HTTP status codes"]),
    ("tools as list", directory(tools=[]), ["tools: must be a mapping, got a list"]),
    ("tools as text", directory(tools="x"), ["tools: must be a mapping, got text"]),
    ("tool timeout", directory(tools={"timeout": 0}), ["tools.timeout: must be > 0"]),
    ("container runtime", directory(tools={"sandbox": {"container_image": "i", "container_runtime": "lxc"}}),
     ["tools.sandbox.container_runtime: unsupported 'lxc', one of docker, podman"]),
    ("builtins as mapping", directory(tools={"builtins": {}}), ["tools.builtins: must be a list"]),
    ("builtin without name", directory(tools={"builtins": [{"a": 1}]}),
     ["tools.builtins[0]: must be a name"]),
    ("builtin twice", directory(tools={"builtins": ["w", {"name": "w"}]}),
     ["tools.builtins[1]: duplicate 'w'"]),
    ("tool as number", directory(tools={"x": 5}), ["tools.x: must be a mapping, got a number"]),
    ("tool without type", tool(description="d"), ["tool 'x'.type: required, one of mcp, function"]),
    ("tool of unknown type", tool(type="magic"), ["tool 'x'.type: unknown 'magic'"]),
    ("function without callable", tool(type="function"), ["tool 'x'.callable: required"]),
    ("client tool without parameters", tool(type="function", runtime="client"),
     ["tool 'x'.parameters: required for a client tool"]),
    ("client tool with callable", tool(type="function", runtime="client", parameters={}, callable="a.b"),
     ["tool 'x'.callable: not allowed"]),
    ("function runtime", tool(type="function", callable="a.b", runtime="moon"),
     ["tool 'x'.runtime: unsupported 'moon', one of server, client"]),
    ("function parameters", tool(type="function", callable="a.b", parameters={"type": "array"}),
     ["tool 'x'.parameters: must describe an object"]),
    ("retired tool type", tool(type="cancellable_function", callable="a.b"),
     ["tool 'x'.type: cancellable_function was retired"]),
    ("inherit at the root", directory(tools={"x": "inherit"}), ["tool 'x': the parent has no such tool"]),
    ("function with a reserved name", directory(tools={"web_fetch": {"type": "function", "callable": "a.b"}}),
     ["tool 'web_fetch': collides with the built-in tool"]),
    ("sessions", single(tools={"x": {"type": "agent", "prompt": "p", "max_sessions": 0}}),
     ["tool 'x'.max_sessions: must be >= 1"]),
    ("handoff to nobody", tool(type="handoff", agent="ghost"), ["tool 'x': no sub-agent named 'ghost'"]),
    ("agents names nobody", directory(tools={"agents": ["ghost"]}),
     ["tools.agents: no sub-agent named ghost"]),
    ("MCP url and command", tool(type="mcp", url="http://u", command="c"),
     ["mcp_servers[0].url: not allowed for stdio"]),
    ("MCP url on stdio", tool(type="mcp", transport="stdio", url="http://u"),
     ["mcp_servers[0].command: required for stdio", "mcp_servers[0].url: not allowed for stdio"]),
    ("MCP headers on stdio", tool(type="mcp", command="c", headers={"a": "b"}),
     ["mcp_servers[0].headers: not allowed for stdio"]),
    ("MCP command on http", tool(type="mcp", transport="http", url="http://u", command="c"),
     ["mcp_servers[0].command: not allowed for http"]),
    ("MCP transport", tool(type="mcp", transport="sse", url="http://u"),
     ["mcp_servers[0].transport: one of http, stdio, registry"]),
    ("MCP scheme", tool(type="mcp", url="file:///etc/passwd"), ["mcp_servers[0].url: must start with http"]),
    ("MCP with a reserved name", directory(tools={"web_search": {"type": "mcp", "url": "http://u"}}),
     ["mcp_servers[0].name: collides with the built-in tool 'web_search'"]),
    ("modality", directory(interaction={"modalities": {"input": ["smell"]}}),
     ["interaction.modalities.input: unsupported 'smell'"]),
    ("output modality", directory(interaction={"modalities": {"output": ["video"]}}),
     ["interaction.modalities.output: unsupported 'video'"]),
    ("interaction as text", directory(interaction="x"), ["interaction: must be a mapping"]),
    ("compaction", vendor(compaction={"trigger_threshold": 2, "recent_window": -1}),
     ["compaction: not supported by claude-sdk", "compaction.trigger_threshold: must be in (0, 1]",
      "compaction.recent_window: must be >= 0"]),
    ("compaction of zero", directory(compaction={"trigger_threshold": 0}),
     ["compaction.trigger_threshold: must be > 0"]),
    ("ask timeout", directory(guardrails={"ask_timeout": 0}), ["guardrails.ask_timeout: must be > 0"]),
    ("ask timeout, single file", single(ask_timeout=-1), ["ask_timeout: must be > 0"]),
    ("guardrails as list", directory(guardrails=[]), ["guardrails: must be a mapping"]),
    ("policies as list", directory(guardrails={"policies": []}), ["guardrails.policies: must be a mapping"]),
    ("top-level policies as list", directory(policies=[]), ["policies: must be a mapping"]),
    ("policy as text", directory(policies={"x": "a.b"}), ["policies.x: must be a mapping, got text"]),
    ("policy without type", policy(handler="a.b"), ["policy 'x': type: required"]),
    ("policy of unknown type", policy(type="magic", handler="a.b"), ["policy 'x': unknown type"]),
    ("policy without handler", policy(type="function"), ["policy 'x': handler: required"]),
    ("prompt policy in a directory", policy(type="prompt", prompt="p"), ["policy 'x': type: prompt"]),
    ("policy parameters", policy(type="function", handler="a.b", factory_params=[1]),
     ["policy 'x'.factory_params: must be a mapping"]),
    ("policy ask timeout", policy(type="function", handler="a.b", ask_timeout=0),
     ["policy 'x'.ask_timeout: must be > 0"]),
    ("label empty", label({}), ["label 'x': must not be empty"]),
    ("label initial", label({"initial": "1", "values": ["2"]}), ["label 'x': initial '1' is not one of"]),
    ("label as list", label([1]), ["guardrails.labels.x: must be text"]),
    ("labels as list", directory(guardrails={"labels": []}), ["guardrails.labels: must be a mapping"]),
    ("terminal as number", directory(terminals={"x": 1}), ["terminals.x: must be a mapping"]),
    ("terminal as text in a directory", directory(terminals={"x": "bash"}),
     ["terminals.x: must be a mapping"]),
    ("terminal arguments", directory(terminals={"x": {"args": 5}}), ["terminals.x.args: must be a list"]),
    ("terminal environment", directory(terminals={"x": {"env": {"A-B": "1"}}}),
     ["terminals.x.env: 'A-B' is not the name of a variable"]),
    ("skills as other text", directory(skills="some"), ["skills: all, none or a list of names"]),
    ("skills as mapping", directory(skills={}), ["skills: all, none or a list of names"]),
    ("sharing", directory(agent_session_sharing="wild"),
     ["agent_session_sharing: unsupported 'wild', one of none, non-public, public"]),
    ("os_env fork and scratch", directory(os_env={"fork": True, "start_in_scratch": True}),
     ["os_env: fork and start_in_scratch exclude each other"]),
    ("os_env scratch without sandbox",
     directory(os_env={"start_in_scratch": True, "sandbox": {"type": "none"}}),
     ["os_env.start_in_scratch: needs a sandbox"]),
    ("os_env as list", directory(os_env=[]), ["os_env: must be a mapping"]),
    ("os_env as text in a directory", directory(os_env="x"), ["os_env: must be a mapping, got text"]),
    ("os_env inherited at the root", single(os_env="inherit"), ["os_env: nothing to inherit"]),
    ("write path", sandbox(write_paths=[5]), ["os_env.sandbox.write_paths[0]: must be a path or a mapping"]),
    ("write path without path", sandbox(write_paths=[{"copy_on_write": True}]),
     ["os_env.sandbox.write_paths[0].path: required"]),
    ("variable name", sandbox(env_passthrough=["A=B"]), ["os_env.sandbox.env_passthrough: 'A=B' is not"]),
    ("egress without sandbox", sandbox(type="none", egress_rules=["GET host/x"]),
     ["os_env.sandbox.egress_rules: not possible with none"]),
    ("credentials without egress", sandbox(credential_proxy={"a": 1}),
     ["os_env.sandbox.credential_proxy: needs egress_rules"]),
    ("hidden scan", sandbox(cwd_hidden_scan_overflow="maybe"),
     ["os_env.sandbox.cwd_hidden_scan_overflow: unsupported 'maybe'"]),
    ("flag as text", directory(spawn="yes"), ["spawn: must be true or false, got text"]),
    ("description as list", directory(description=["x"]), ["description: must be text"]),
    ("single file with a type", single(executor={"harness": "scripted", "type": "omnigent"}),
     ["executor.type: belongs to config.yaml"]),
    ("single file with a config", single(executor={"harness": "scripted", "config": {}}),
     ["executor.config: belongs to config.yaml"]),
    ("single file with unknown model", single(executor={"model": "unheard-of"}),
     ["executor.harness: required"]),
    ("label schema", single(labels={"a": "1"}, label_schema={"a": {"values": ["2"]}}),
     ["label 'a': initial '1' is not one of"]),
]  # fmt: skip


@pytest.mark.parametrize(("data", "gists"), [pytest.param(*row, id=name) for name, *row in DOCUMENTS])
def test_a_fault_is_named_with_its_path(data: Document, gists: list[str]) -> None:
    found = problems(data)

    for gist in gists:
        assert [problem for problem in found if problem.startswith(gist)], found
    assert len(found) == len(gists), found
