"""The services behind url policies: each URL has a breaker, its latency and a bound on calls at once."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from omnigent.outbound import Answer, Limits, NotReached, OutboundClient, OutboundError, TooSlow
from omnigent.policies.remote.breaker import Breaker, BreakerState
from omnigent.policies.remote.errors import RemotePolicyError
from omnigent.policies.remote.latency import Latency, LatencySummary

# One slow service must leave connections for the others.
CALLS_AT_ONCE = 32
MAX_ENDPOINTS = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointStatus:
    """What the admin shows of a URL. `calls` leaves out those that the open breaker refused."""

    url: str
    breaker: BreakerState
    failures_in_a_row: int
    last_failure: str | None
    seconds_to_probe: float
    calls: int
    latency: LatencySummary


class Endpoint:
    """One URL. Being out of reach, slow or answering 5xx counts as a failure of it; a wrong answer does not,
    for then anybody who can provoke one could shut the policy's breaker to everybody."""

    def __init__(self, url: str, breaker: Breaker, clock: Callable[[], float]) -> None:
        self._url = url
        self._breaker = breaker
        self._clock = clock
        self._latency = Latency()
        self._places = asyncio.Semaphore(CALLS_AT_ONCE)
        self._calls = 0

    async def post(
        self, client: OutboundClient, headers: dict[str, str], body: bytes, seconds: float
    ) -> Answer:
        """One attempt; RemotePolicyError says why there is no answer."""
        with self._breaker.passage() as passage:
            self._calls += 1
            started = self._clock()
            try:
                answer = await self._exchange(client, headers, body, seconds)
            except (NotReached, TooSlow) as problem:
                passage.failure = str(problem)
                raise RemotePolicyError(str(problem)) from problem
            except OutboundError as problem:
                raise RemotePolicyError(str(problem)) from problem
            finally:
                self._latency.record((self._clock() - started) * 1000)
            if answer.status >= 500:
                passage.failure = f"answered with status {answer.status}"
            else:
                passage.succeeded = True
            return answer

    def status(self) -> EndpointStatus:
        """The figures now."""
        return EndpointStatus(
            url=self._url,
            breaker=self._breaker.state,
            failures_in_a_row=self._breaker.failures_in_a_row,
            last_failure=self._breaker.last_failure,
            seconds_to_probe=self._breaker.seconds_to_probe,
            calls=self._calls,
            latency=self._latency.summary(),
        )

    async def _exchange(
        self, client: OutboundClient, headers: dict[str, str], body: bytes, seconds: float
    ) -> Answer:
        try:
            # Waiting for a place is part of the time, too.
            async with asyncio.timeout(seconds), self._places:
                limits = Limits(seconds=seconds)
                return await client.send("POST", self._url, headers=headers, content=body, limits=limits)
        except TimeoutError as problem:
            raise TooSlow(f"gave no answer within {seconds:g} s") from problem


class Endpoints:
    """The endpoints in use, by URL; the one longest unused is forgotten first."""

    def __init__(self, *, breaker: Callable[[], Breaker], clock: Callable[[], float]) -> None:
        self._breaker = breaker
        self._clock = clock
        self._known: OrderedDict[str, Endpoint] = OrderedDict()

    def of(self, url: str) -> Endpoint:
        """The endpoint of a URL."""
        endpoint = self._known.get(url)
        if endpoint is None:
            endpoint = self._known[url] = Endpoint(url, self._breaker(), self._clock)
            if len(self._known) > MAX_ENDPOINTS:
                self._known.popitem(last=False)
        self._known.move_to_end(url)
        return endpoint

    def statuses(self) -> list[EndpointStatus]:
        """Every endpoint that was asked since the start."""
        return [endpoint.status() for endpoint in list(self._known.values())]
