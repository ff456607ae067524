"""The model that the operator gives to policies: any service that speaks OpenAI's Chat Completions."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from omnigent.policies.server_model import ModelAnswerError

DEFAULT_URL = "https://api.openai.com/v1"
DEFAULT_KEY = "OPENAI_API_KEY"
LONGEST = 64 * 1024
"""Characters of an answer; policies ask for a word or a sentence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """What `llm:` of the configuration file says. The models are tried in their order."""

    models: tuple[str, ...]
    base_url: str = DEFAULT_URL
    api_key: str = ""
    request_timeout: float = 300.0

    @classmethod
    def read(cls, given: Mapping[str, Any], environ: Mapping[str, str]) -> "ModelConfig | None":
        """The block as it stands in the file; None when it names no model. Raises ValueError in words.

        The key comes from the environment variable that `connection.api_key_env` names, never from the file.
        """
        if not given:
            return None
        connection = given.get("connection") or {}
        names = [given.get("model"), *(given.get("fallback_models") or [])]
        if not isinstance(connection, Mapping) or not all(isinstance(name, str) and name for name in names):
            raise ValueError("llm: model and fallback_models must be names, connection a mapping")
        seconds = given.get("request_timeout", 300.0)
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds <= 0:
            raise ValueError("llm: request_timeout must be more than 0 seconds")
        return cls(
            models=tuple(map(str, names)),
            base_url=str(connection.get("base_url") or environ.get("OPENAI_BASE_URL") or DEFAULT_URL),
            api_key=environ.get(str(connection.get("api_key_env") or DEFAULT_KEY), ""),
            request_timeout=float(seconds),
        )


class ChatModel:
    """Asks a service, one model after the other until one answers. Belongs to one event loop."""

    def __init__(self, config: ModelConfig) -> None:
        self._config = config
        headers = {"Authorization": f"Bearer {config.api_key}"} if config.api_key else {}
        self._http = httpx.AsyncClient(
            base_url=config.base_url.rstrip("/") + "/", headers=headers, timeout=config.request_timeout
        )

    async def complete(self, prompt: str, *, system: str = "", max_tokens: int = 200) -> str:
        """The answer as text. Raises ModelAnswerError when no model gives one."""
        messages = [{"role": "system", "content": system}] if system else []
        messages.append({"role": "user", "content": prompt})
        failures: list[str] = []
        for model in self._config.models:
            try:
                return await self._ask(model, messages, max_tokens)
            except (httpx.HTTPError, ModelAnswerError) as error:
                failures.append(f"{model}: {type(error).__name__} {error}"[:200])
        raise ModelAnswerError("no model answered: " + "; ".join(failures))

    async def _ask(self, model: str, messages: Sequence[Mapping[str, str]], max_tokens: int) -> str:
        body = {"model": model, "messages": list(messages), "max_tokens": max_tokens, "stream": True}
        parts: list[str] = []
        async with self._http.stream("POST", "chat/completions", json=body) as answer:
            if answer.status_code != httpx.codes.OK:
                raise ModelAnswerError(f"status {answer.status_code}")
            async for line in answer.aiter_lines():
                parts.append(_text(line))
                if sum(map(len, parts)) > LONGEST:
                    raise ModelAnswerError("the answer is too long")
        if not "".join(parts).strip():
            raise ModelAnswerError("the answer is empty")
        return "".join(parts)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def _text(line: str) -> str:
    """The words in one line of the event stream."""
    data = line.removeprefix("data:").strip()
    if not line.startswith("data:") or data == "[DONE]":
        return ""
    try:
        chunk = json.loads(data)
    except ValueError:
        raise ModelAnswerError("the answer cannot be read") from None
    if not isinstance(chunk, dict) or chunk.get("error"):
        raise ModelAnswerError("the service broke off")
    choices = chunk.get("choices")
    delta = choices[0].get("delta") if isinstance(choices, list) and choices else None
    content = delta.get("content") if isinstance(delta, dict) else None
    return content if isinstance(content, str) else ""
