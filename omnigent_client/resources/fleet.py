"""Hosts and runners: the machines and processes that do the work."""

from omnigent_client.decoding import read
from omnigent_client.pages import read_page
from omnigent_client.records.server import Host, Runner
from omnigent_client.resources.base import Resource
from omnigent_client.transport.http import path_of


class Hosts(Resource):
    """/v1/hosts: the caller's machines."""

    async def list(self) -> tuple[Host, ...]:
        """All that ever connected."""
        return read_page(Host, await self._get("/v1/hosts"), member="hosts").data

    async def get(self, host_id: str) -> Host:
        """One of them."""
        return read(Host, await self._get(path_of("hosts", host_id)))


class Runners(Resource):
    """/v1/runners: the caller's runners."""

    async def list(self) -> tuple[Runner, ...]:
        """Those that are connected."""
        return read_page(Runner, await self._get("/v1/runners")).data

    async def status(self, runner_id: str) -> Runner:
        """Whether one is connected, and how it ended."""
        return read(
            Runner, {"runner_id": runner_id, **await self._get(path_of("runners", runner_id, "status"))}
        )
