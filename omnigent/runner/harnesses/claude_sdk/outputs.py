"""What the program's own tools give back: its text for people, and how to put other words in its place."""

import json
from collections.abc import Mapping
from typing import Any, Final

_CODES: Final = frozenset({"type", "mode", "media_type"})
# What the model is not shown, or has just written itself.
_LEFT_OUT: Final = frozenset({"content", "originalFile", "structuredPatch", "oldString", "newString"})


def text_of(response: object) -> str:
    """The text of a tool's response, as far as the forms of the program's tools are known."""
    match response:
        case str():
            return response
        case list():
            return "\n".join(text_of(block) for block in response)
        case Mapping():
            return _text_in(response)
        case _:
            return json.dumps(response, ensure_ascii=False)


def _text_in(response: Mapping[str, Any]) -> str:
    match response:
        case {"stdout": str() as stdout, "stderr": str() as stderr}:
            return "\n".join(part for part in (stdout, stderr) if part)
        case {"type": "text", "text": str() as text}:
            return text
        case {"type": "text", "file": {"content": str() as text}}:
            return text
        case {"mode": "content", "content": str() as text} | {"result": str() as text}:
            return text
        case {"filenames": [*names]}:
            return "\n".join(map(str, names))
        case {"filePath": str() as path}:
            return f"{response.get('type') or 'update'} {path}"
        case {"content": [*blocks]}:
            return text_of(blocks)
        case _:
            kept = {key: value for key, value in response.items() if key not in _LEFT_OUT}
            return json.dumps(kept, ensure_ascii=False)


def replaced(response: object, text: str, *, key: str = "") -> Any:
    """A response of the same form in which every text is this one: another form would be turned down, and the
    original shown."""
    match response:
        case str():
            return response if key in _CODES else text
        case list():
            return [replaced(each, text) for each in response]
        case Mapping():
            return {name: replaced(each, text, key=str(name)) for name, each in response.items()}
        case _:
            return response
