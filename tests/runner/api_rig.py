"""A server for the runner's calls without a socket, and time that passes only by waiting."""

from collections.abc import Callable, Coroutine

import httpx

from omnigent.runner.api import Patience, ServerApi

Answer = httpx.Response | Exception
Handler = (
    Callable[[httpx.Request], httpx.Response]
    | Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]
)


class Server:
    """Plays answers per last path part; the last one repeats."""

    def __init__(self, **answers: list[Answer]) -> None:
        self.answers = answers
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answers = self.answers.get(request.url.path.rsplit("/", 1)[-1], [httpx.Response(404)])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def seen(self, last: str) -> list[httpx.Request]:
        return [request for request in self.requests if request.url.path.endswith(f"/{last}")]


class Waits:
    """Time that passes only by waiting."""

    def __init__(self) -> None:
        self.now = 0.0

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    def patience(self) -> Patience:
        return Patience(now=lambda: self.now, sleep=self.sleep)


def make_api(server: Handler, waits: Waits | None = None) -> ServerApi:
    return ServerApi(
        server_url="http://server",
        runner_id="runner_1",
        token="binding",
        transport=httpx.MockTransport(server),
        patience=(waits or Waits()).patience(),
    )
