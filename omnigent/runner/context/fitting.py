"""The context of one turn: what it sends is made to fit, and its history becomes the shorter one."""

from collections.abc import Sequence
from dataclasses import dataclass

from omnigent.runner.agents import LoadedAgent
from omnigent.runner.attachments import with_files
from omnigent.runner.context.keeper import ContextKeeper, Summarise
from omnigent.runner.harnesses.base import ModelRequest, Usage
from omnigent.runner.history import History, Item, is_input, loaded
from omnigent.runner.skills import spelled_out
from omnigent.spec.types import AgentSpec


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitting:
    """`spec` is that of the sub-agent which runs; `summarise` asks the turn's own model."""

    keeper: ContextKeeper
    agent: LoadedAgent
    spec: AgentSpec
    history: History
    summarise: Summarise

    async def fit(self, request: ModelRequest, *, overflowed: bool = False) -> ModelRequest:
        """See ContextKeeper.fit."""
        return await self.keeper.fit(request, self.spec, self.summarise, self._reload, overflowed=overflowed)

    def learn(self, request: ModelRequest, usage: Usage) -> None:
        """See Scale.learn."""
        self.keeper.scale.learn(request, usage)

    async def _reload(self, items: Sequence[Item]) -> Sequence[Item]:
        """Make stored items the history; messages that still come by themselves stay out."""
        known = [item for item in items if not is_input(item) or self.history.has(item.get("id"))]
        shown = spelled_out(loaded(known, None), self.agent)
        self.history.replace(await with_files(self.keeper.api, self.keeper.session_id, shown))
        return self.history.model_input()
