"""The simulator's asynchronous road: threads of the pool read, the loop judges, and nothing is written."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from django.conf import settings

from omnigent.accounts.identity import Principal
from omnigent.policies.judging import judge
from policies_app.services import backtesting, drafts
from policies_app.services.backtesting import Backtest
from policies_app.simulation_bodies import BacktestBody, SimulationBody
from sessions_app.flows.policing.asking import read_event
from sessions_app.flows.policing.desk import Urls
from sessions_app.services import simulating

if TYPE_CHECKING:
    from sessions_app.process import Process


async def simulate(process: "Process", principal: Principal, asked: SimulationBody) -> bytes:
    """What the policies say of one event, as JSON. Raises NOT_FOUND and INVALID_INPUT."""
    event = read_event({"event": asked.event})
    desk = process.policies
    urls = Urls(desk.urls, settings.OMNIGENT_POLICY_URL_SECONDS)
    run = await process.pool.run(
        simulating.prepare,
        asked,
        event,
        principal=principal,
        chains=desk.chains,
        builder=drafts.draft_builder(urls),
    )
    # A draft that hangs must not take the threads that real evaluations need.
    threads = ThreadPoolExecutor(simulating.THREADS, thread_name_prefix="simulation")
    try:
        verdict = await judge(run.event, run.refs, run.state, threads=threads, llm_client=desk.llm_client)
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
    return simulating.shown(run, verdict)


async def backtest(process: "Process", asked: BacktestBody) -> dict[str, Any]:
    """What a draft says of the newest decisions. Raises INVALID_INPUT for a draft that cannot be tried."""
    running = await process.pool.run(Backtest, asked)
    try:
        stretch = await process.pool.run(backtesting.stretch_of, asked)
        after, is_whole = stretch.first - 1, True
        while is_whole and (rows := await process.pool.run(backtesting.piece, stretch, after)):
            is_whole = await running.feed(rows)
            after = rows[-1].seq
        return running.shown(stretch, is_whole=is_whole)
    finally:
        running.close()
