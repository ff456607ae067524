"""Frames about what a host's machine has: skills, credentials, and what only a vendor's programs know."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from omnigent.protocol.host_frames.base import Ask, Result
from omnigent.protocol.host_frames.daemon import Readiness


@dataclass(frozen=True, kw_only=True, slots=True)
class Skills(Ask):
    """Which skills does a session in this directory find? With `session_id` its agent's own count, too."""

    kind: ClassVar[str] = "host.skills"
    omit_null: ClassVar[tuple[str, ...]] = ("session_id",)

    harness: str
    path: str
    session_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SkillsResult(Result):
    """`ok` or `failed`; each skill with name and description."""

    kind: ClassVar[str] = "host.skills_result"

    skills: tuple[Mapping[str, str], ...] = ()
    error_code: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SkillContent(Ask):
    """What does this skill of the host's user say? `source_id` names a plugin that it is of."""

    kind: ClassVar[str] = "host.skill_content"
    omit_null: ClassVar[tuple[str, ...]] = ("source_id",)

    harness: str
    name: str
    source_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SkillContentResult(Result):
    """`ok` or `failed`; the skill has name, description, content and whether that is truncated."""

    kind: ClassVar[str] = "host.skill_content_result"

    skill: Mapping[str, str | bool] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectCredentials(Ask):
    """Which vendors' credentials are there already?"""

    kind: ClassVar[str] = "host.detect_credentials"


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectCredentialsResult(Result):
    """Each one with family, source and env_var, and never with its value."""

    kind: ClassVar[str] = "host.detect_credentials_result"

    status: str = "ok"
    credentials: tuple[Mapping[str, str | None], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Plugins(Ask):
    """Which plugins have the vendors' programs?"""

    kind: ClassVar[str] = "host.plugins"


@dataclass(frozen=True, kw_only=True, slots=True)
class PluginsResult(Result):
    """`ok` or `failed`; the list is handed through."""

    kind: ClassVar[str] = "host.plugins_result"

    plugins: tuple[Any, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class McpServers(Ask):
    """Which MCP servers do the vendors' programs know?"""

    kind: ClassVar[str] = "host.mcp_servers"


@dataclass(frozen=True, kw_only=True, slots=True)
class McpServersResult(Result):
    """`ok` or `failed`; the list is handed through."""

    kind: ClassVar[str] = "host.mcp_servers_result"

    mcp_servers: tuple[Any, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class McpTools(Ask):
    """Which tools has one of them?"""

    kind: ClassVar[str] = "host.mcp_tools"


@dataclass(frozen=True, kw_only=True, slots=True)
class McpToolsResult(Result):
    """`ok` or `failed`; the list is handed through."""

    kind: ClassVar[str] = "host.mcp_tools_result"

    tools: tuple[Any, ...] = ()
    connection: str = "unsupported"
    truncated: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class HarnessStartup(Ask):
    """How does a vendor's program start?"""

    kind: ClassVar[str] = "host.harness_startup"


@dataclass(frozen=True, kw_only=True, slots=True)
class HarnessStartupResult(Result):
    """`startup` null means that nothing is known."""

    kind: ClassVar[str] = "host.harness_startup_result"

    status: str = "ok"
    startup: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class InstallHarness(Ask):
    """Install a vendor's program."""

    kind: ClassVar[str] = "host.install_harness"


@dataclass(frozen=True, kw_only=True, slots=True)
class InstallHarnessResult(Result):
    """`ok` or `failed`."""

    kind: ClassVar[str] = "host.install_harness_result"

    configured_harnesses: Readiness | None = None
    version: str | None = None
    gateway_inference: Mapping[str, bool] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreSecret(Ask):
    """Keep a credential. No host of ours does, so its members are not even read."""

    kind: ClassVar[str] = "host.store_secret"


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreSecretResult(Result):
    """`ok` or `failed`."""

    kind: ClassVar[str] = "host.store_secret_result"

    configured_harnesses: Readiness | None = None
    gateway_inference: Mapping[str, bool] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportLocal(Ask):
    """Send the conversations that a vendor's program kept."""

    kind: ClassVar[str] = "host.import_local"


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportLocalById(Ask):
    """Send one of them."""

    kind: ClassVar[str] = "host.import_local_by_id"


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportLocalDone(Result):
    """`ok` or `failed`: nothing more comes."""

    kind: ClassVar[str] = "host.import_local_done"

    failed: int = 0
    failures: tuple[Any, ...] = ()
