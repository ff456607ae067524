"""What an MCP tool returned, as the text that the model reads."""

import json
from collections.abc import Sequence

from mcp_types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
)


def text_of(result: CallToolResult) -> str:
    """All blocks, one under the other, what is no text described; without blocks, the structured content."""
    if not result.content and result.structured_content is not None:
        return json.dumps(result.structured_content, ensure_ascii=False)
    return "\n".join(_blocks(result.content))


def _blocks(content: Sequence[ContentBlock]) -> list[str]:
    return [_block(block) for block in content]


def _block(block: ContentBlock) -> str:
    match block:
        case TextContent():
            return block.text
        case ImageContent():
            return f"[image: {block.mime_type}, {_size(block.data)} bytes]"
        case AudioContent():
            return f"[audio: {block.mime_type}, {_size(block.data)} bytes]"
        case ResourceLink():
            return f"[resource: {block.name}, {block.uri}]"
        case EmbeddedResource():
            return _resource(block)


def _resource(block: EmbeddedResource) -> str:
    resource = block.resource
    if isinstance(resource, BlobResourceContents):
        kind = resource.mime_type or "application/octet-stream"
        return f"[resource: {resource.uri}, {kind}, {_size(resource.blob)} bytes]"
    return f"[resource: {resource.uri}]\n{resource.text}"


def _size(base64: str) -> int:
    return len(base64.rstrip("=")) * 3 // 4
