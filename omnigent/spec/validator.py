"""Cross-field rules of an agent: everything that parsed but does not make sense."""

import re
from collections import Counter
from collections.abc import Iterator

from omnigent.spec import harnesses
from omnigent.spec.types import AgentSpec

REASONING_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra")
SHARING = ("none", "non-public", "public")
INPUT_MODALITIES = frozenset({"text", "image", "audio", "video", "file"})
OUTPUT_MODALITIES = frozenset({"text", "image", "audio"})
RESERVED_TOOLS = frozenset(
    [
        "browser_click",
        "browser_navigate",
        "browser_screenshot",
        "browser_snapshot",
        "browser_type",
        "download_file",
        "export_agent",
        "list_comments",
        "list_files",
        "nimble_extract",
        "nimble_research",
        "search_conversations",
        "sys_advise_models",
        "sys_list_models",
        "update_comment",
        "upload_file",
        "web_fetch",
        "web_read",
        "web_search",
    ]
)
_NAME = re.compile(r"^[a-zA-Z0-9_-]{1,256}\Z")


def problems_of(spec: AgentSpec) -> list[str]:
    """Every rule a parsed agent and its sub-agents break, as `path: why`."""
    problems = [*_own_problems(spec), *_tree_problems(spec)]
    for child in spec.sub_agents:
        prefix = f"sub_agents[{child.name!r}]."
        problems += [prefix + problem for problem in _nested_problems(child)]
    return problems


def _nested_problems(spec: AgentSpec) -> list[str]:
    problems = list(_own_problems(spec))
    for child in spec.sub_agents:
        problems += [f"sub_agents[{child.name!r}].{problem}" for problem in _nested_problems(child)]
    return problems


def _own_problems(spec: AgentSpec) -> Iterator[str]:
    yield from _name_problems(spec)
    yield from _executor_problems(spec)
    yield from _os_env_problems(spec)
    yield from _key_problems(spec)
    yield from _mcp_problems(spec)
    unknown = sorted(set(spec.callable_agents) - {child.name for child in spec.sub_agents})
    if unknown:
        yield f"tools.agents: no sub-agent named {', '.join(unknown)}"


def _name_problems(spec: AgentSpec) -> Iterator[str]:
    if not spec.name:
        yield "name: required"
    elif not _NAME.match(spec.name):
        yield "name: only letters, digits, '_' and '-', at most 256"
    elif spec.name == "ui":
        yield "name: 'ui' is reserved"


def _executor_problems(spec: AgentSpec) -> Iterator[str]:
    path = "executor.config.harness" if spec.shape == "directory" else "executor.harness"
    accepted = ", ".join(sorted(harnesses.CANONICAL))
    if spec.harness is None and spec.executor_type == "omnigent":
        yield f"{path}: required, one of {accepted}"
    elif spec.harness is not None and harnesses.canonical(spec.harness) is None:
        yield f"{path}: unknown harness {spec.harness!r}, one of {accepted}"
    if spec.reasoning_effort is not None and spec.reasoning_effort not in REASONING_EFFORTS:
        yield (
            f"executor.reasoning_effort: unsupported {spec.reasoning_effort!r}, "
            f"one of {', '.join(REASONING_EFFORTS)}"
        )


def _os_env_problems(spec: AgentSpec) -> Iterator[str]:
    if spec.os_env is not None and spec.os_env.fork and spec.os_env.start_in_scratch:
        yield "os_env: fork and start_in_scratch exclude each other"


def _key_problems(spec: AgentSpec) -> Iterator[str]:
    raw = spec.raw
    skills = raw.get("skills")
    if isinstance(skills, str) and skills not in {"all", "none"}:
        yield "skills: all, none or a list of names"
    if raw.get("agent_session_sharing", "none") not in SHARING:
        yield f"agent_session_sharing: one of {', '.join(SHARING)}"
    interaction = raw.get("interaction")
    modalities = interaction.get("modalities") if isinstance(interaction, dict) else None
    if isinstance(modalities, dict):
        for side, known in (("input", INPUT_MODALITIES), ("output", OUTPUT_MODALITIES)):
            given = modalities.get(side) or []
            if not isinstance(given, list) or any(str(item) not in known for item in given):
                yield f"interaction.modalities.{side}: unsupported, any of {', '.join(sorted(known))}"
    if raw.get("compaction") is not None:
        yield "compaction: not supported, the harness owns its context"
        yield from _compaction_problems(raw["compaction"])


def _compaction_problems(block: object) -> Iterator[str]:
    if not isinstance(block, dict):
        yield "compaction: must be a mapping"
        return
    threshold, recent = block.get("trigger_threshold", 0.8), block.get("recent_window", 5)
    if not isinstance(threshold, int | float) or not 0 < threshold <= 1:
        yield "compaction.trigger_threshold: must be in (0, 1]"
    if not isinstance(recent, int) or recent < 0:
        yield "compaction.recent_window: must be >= 0"


def _mcp_problems(spec: AgentSpec) -> Iterator[str]:
    counts = Counter(server.name for server in spec.mcp_servers)
    for index, server in enumerate(spec.mcp_servers):
        if counts[server.name] > 1:
            yield f"mcp_servers[{index}].name: duplicate {server.name!r}"
        if server.name in RESERVED_TOOLS:
            yield f"mcp_servers[{index}].name: collides with the built-in tool {server.name!r}"


def _tree_problems(spec: AgentSpec) -> Iterator[str]:
    counts = Counter(child.name for child in _below(spec))
    for name, count in counts.items():
        if count > 1:
            yield f"sub_agents: {name!r} is declared {count} times in the tree"


def _below(spec: AgentSpec) -> Iterator[AgentSpec]:
    for child in spec.sub_agents:
        yield child
        yield from _below(child)
