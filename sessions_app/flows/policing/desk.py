"""What a process has once for policies: chains, threads, clients of services, and who waits for a verdict."""

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from omnigent.outbound import Guard, OutboundClient, SystemResolver
from omnigent.policies.chat_model import ChatModel, ModelConfig
from omnigent.policies.remote import RemotePolicies, RemoteRules
from omnigent.policies.types import Phase
from policies_app.building import Builder
from policies_app.catalogue import catalogue
from policies_app.services import endpoints
from sessions_app.services.policing.chains import Chains

FOREIGN_THREADS = 8


@dataclass(frozen=True, slots=True)
class Urls:
    """Url policies as the builder of chains needs them."""

    policies: RemotePolicies
    seconds: float

    def handler(self, *, policy_id: str, name: str, url: str) -> Callable[[Mapping[str, Any]], Any]:
        """An asynchronous handler that asks this address."""
        return self.policies.policy(policy_id=policy_id, name=name, url=url)


class Turnstiles:
    """Lets one evaluation of a session through at a time, so that concurrent calls count one by one."""

    def __init__(self) -> None:
        self._locks: dict[int, asyncio.Lock] = {}
        self._users: dict[int, int] = defaultdict(int)

    @asynccontextmanager
    async def passing(self, session_pk: int) -> AsyncIterator[None]:
        """Wait for the others of this process."""
        lock = self._locks.setdefault(session_pk, asyncio.Lock())
        self._users[session_pk] += 1
        try:
            async with lock:
                yield
        finally:
            self._users[session_pk] -= 1
            if not self._users[session_pk]:
                del self._users[session_pk], self._locks[session_pk]


class Waiting:
    """Who waits for held actions in this process, by the action."""

    def __init__(self) -> None:
        self._waiters: dict[int, set[asyncio.Event]] = defaultdict(set)

    @asynccontextmanager
    async def on(self, held_pk: int) -> AsyncIterator[asyncio.Event]:
        """An event that is set whenever something happens to the action."""
        event = asyncio.Event()
        self._waiters[held_pk].add(event)
        try:
            yield event
        finally:
            self._waiters[held_pk].discard(event)
            if not self._waiters[held_pk]:
                del self._waiters[held_pk]

    def ring(self, held_pk: int) -> None:
        """Something happened to it."""
        for event in self._waiters.get(held_pk, ()):
            event.set()


class PolicyDesk:
    """`threads` run the operators' own handlers; `llm_client` is None while no model is configured."""

    def __init__(self) -> None:
        known = catalogue()
        self._resolver = SystemResolver()
        rules = RemoteRules(
            secret=settings.OMNIGENT_POLICY_URL_SECRET.encode(),
            timeout_seconds=settings.OMNIGENT_POLICY_URL_SECONDS,
            fail_open_phases=frozenset(map(Phase, settings.OMNIGENT_POLICY_URL_FAIL_OPEN_PHASES)),
        )
        self.urls = RemotePolicies(OutboundClient(Guard(known.outbound, self._resolver)), rules)
        endpoints.asks_through(self.urls)
        builder = Builder(
            registry=known.registry,
            remotes=Urls(self.urls, rules.timeout_seconds),
            foreign_seconds=settings.OMNIGENT_POLICY_HANDLER_SECONDS,
        )
        self.chains = Chains(builder, known.config_policies)
        self.threads = ThreadPoolExecutor(FOREIGN_THREADS, thread_name_prefix="policy")
        self.turnstiles = Turnstiles()
        self.waiting = Waiting()
        config = ModelConfig.read(known.llm, os.environ)
        self.llm_client = None if config is None else ChatModel(config)

    async def close(self) -> None:
        """End what it holds; a handler that still runs is left to itself."""
        endpoints.asks_through(None)
        await self.urls.aclose()
        if self.llm_client is not None:
            await self.llm_client.close()
        self._resolver.close()
        self.threads.shutdown(wait=False, cancel_futures=True)
