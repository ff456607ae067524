"""What may be sent to change an agent or one of its MCP servers."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

MAX_DESCRIPTION, MAX_SERVER_DESCRIPTION = 4096, 512
MAX_INSTRUCTIONS = 512 * 1024
MAX_ARGS, MAX_HEADERS, MAX_SERVERS = 64, 64, 100
ALIEN = {
    "http": ("command", "args"),
    "stdio": ("url", "headers"),
    "registry": ("url", "headers", "command", "args"),
}
NEEDED = {"http": "url", "stdio": "command"}


def _is_http(text: str) -> str:
    try:
        parts = urlsplit(text)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        raise ValueError("not a URL") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("only http and https URLs with a host are allowed")
    if "@" in parts.netloc:
        raise ValueError("a URL may not contain a user name or password; send a header")
    if not text.isprintable() or " " in text:
        raise ValueError("a URL has no spaces and no control characters")
    return text


ServerName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}$")]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$")]
HeaderValue = Annotated[str, StringConstraints(pattern=r"^[^\r\n]*$", max_length=8192)]
Url = Annotated[str, Field(max_length=2048), AfterValidator(_is_http)]
Line = Annotated[str, Field(max_length=4096)]


class McpServerBody(BaseModel):
    """One MCP server. A header whose value is `[REDACTED]` keeps the value that is stored; `headers` that are
    left out stay as they are.
    """

    model_config = ConfigDict(extra="forbid")

    name: ServerName
    transport: Literal["http", "stdio", "registry"]
    description: Annotated[str, Field(max_length=MAX_SERVER_DESCRIPTION)] | None = None
    url: Url | None = None
    headers: Annotated[dict[HeaderName, HeaderValue], Field(max_length=MAX_HEADERS)] | None = None
    command: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    args: Annotated[list[Line], Field(max_length=MAX_ARGS)] | None = None

    @model_validator(mode="after")
    def _fits_its_transport(self) -> Self:
        for name in ALIEN[self.transport]:
            if getattr(self, name) is not None:
                raise ValueError(f"{name} is not allowed with transport {self.transport}")
        needed = NEEDED.get(self.transport)
        if needed and getattr(self, needed) is None:
            raise ValueError(f"{needed} is required with transport {self.transport}")
        return self


class AgentChanges(BaseModel):
    """What to change of an agent; what is left out stays. `mcp_servers` are all that it shall have."""

    model_config = ConfigDict(extra="forbid")

    description: Annotated[str, Field(max_length=MAX_DESCRIPTION)] | None = None
    instructions: Annotated[str, Field(max_length=MAX_INSTRUCTIONS)] | None = None
    model: Annotated[str, Field(max_length=256)] | None = None
    harness: Annotated[str, Field(max_length=64)] | None = None
    mcp_servers: Annotated[list[McpServerBody], Field(max_length=MAX_SERVERS)] | None = None
