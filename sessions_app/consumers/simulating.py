"""`POST /v1/policy-simulations` and `POST /v1/policy-backtests`: what policies would say."""

import orjson

from omnigent.api.consumer import HttpConsumer
from omnigent.api.validation import parse
from policies_app.simulation_bodies import BacktestBody, SimulationBody
from sessions_app.flows import simulating as flow
from sessions_app.process import Process
from sessions_app.running import running_process
from sessions_app.services import simulating


class SimulatingConsumer(HttpConsumer):
    """For administrators."""

    @property
    def process(self) -> Process:
        """What this server process has once."""
        return running_process()


class SimulationConsumer(SimulatingConsumer):
    """POST /v1/policy-simulations"""

    async def handle(self) -> None:
        simulating.require_admin(self.principal)
        asked = parse(SimulationBody, await self.body())
        await self.json(
            200, await self.unless_disconnected(flow.simulate(self.process, self.principal, asked))
        )


class BacktestConsumer(SimulatingConsumer):
    """POST /v1/policy-backtests"""

    async def handle(self) -> None:
        simulating.require_admin(self.principal)
        asked = parse(BacktestBody, await self.body())
        answer = await self.unless_disconnected(flow.backtest(self.process, asked))
        await self.json(200, orjson.dumps(answer))
