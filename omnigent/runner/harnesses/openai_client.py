"""The connection to an OpenAI-compatible provider, and its failures in our words."""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import httpx2
from openai import (
    APIConnectionError,
    APIError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    AsyncOpenAI,
    DefaultAsyncHttpxClient,
    OpenAIError,
    Timeout,
)

from omnigent.runner.harnesses.base import ModelRequest, ModelSettings
from omnigent.runner.harnesses.failures import (
    AttemptFailed,
    broken_inside,
    interrupted,
    refused,
    silent,
    unreachable,
    unusable,
)

CONNECT_SECONDS: Final = 10.0
_EFFORTS: Final[Mapping[str, str]] = {"ultra": "max"}


class OpenAIConnection:
    """Opens the client on first use, so that a missing key is an answer and not a crash at start.

    `settings.extra` holds further keys of the request body.
    """

    def __init__(self, settings: ModelSettings) -> None:
        self.settings = settings
        self._client: AsyncOpenAI | None = None

    @property
    def extra_body(self) -> dict[str, Any]:
        return dict(self.settings.extra)

    def client(self) -> AsyncOpenAI:
        """The client; raises `AttemptFailed` when there is no key."""
        if self._client is None:
            seconds = self.settings.timeout_seconds
            try:
                self._client = AsyncOpenAI(
                    api_key=self.settings.api_key or None,
                    base_url=self.settings.base_url or None,
                    timeout=Timeout(seconds, connect=min(CONNECT_SECONDS, seconds)),
                    max_retries=0,
                    http_client=DefaultAsyncHttpxClient(verify=_authorities()),
                )
            except OpenAIError as problem:
                raise AttemptFailed("authentication_error", str(problem)) from problem
        return self._client

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    @contextmanager
    def failures(self, *, opened: bool) -> Iterator[None]:
        """Turn what the library raises into `AttemptFailed`; `opened` means that the answer has begun."""
        try:
            yield
        except APITimeoutError as problem:
            raise silent(self.settings.timeout_seconds, opened=opened) from problem
        except APIConnectionError as problem:
            detail = str(problem.__cause__ or problem)
            raise (interrupted(detail) if opened else unreachable(detail)) from problem
        except APIStatusError as problem:
            raise refused(problem.status_code, problem.body, problem.response.headers) from problem
        except APIResponseValidationError as problem:
            raise unusable(str(problem), opened=True) from problem
        except (ValueError, TypeError, httpx2.InvalidURL) as problem:
            raise unusable(str(problem), opened=opened) from problem
        except APIError as problem:
            raise broken_inside(problem.body) from problem
        except AttemptFailed:
            raise
        except Exception as problem:
            # The library is foreign code; whatever it raises, the turn must end with words.
            raise AttemptFailed("harness_error", str(problem)) from problem


@cache
def _authorities() -> ssl.SSLContext:
    """Whom to trust, read once: engines have a client for each session, and it takes 20 ms and 0.8 MiB."""
    return httpx2.create_ssl_context()


def effort_of(request: ModelRequest) -> Any:
    """The effort in OpenAI's words. `Any`, because the library types an open set as a closed one."""
    return _EFFORTS.get(request.reasoning_effort or "", request.reasoning_effort)


def parameters_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A tool's parameters; providers refuse an empty schema."""
    return {"type": "object", "properties": {}, **schema}
