"""What an engine is: a vendor's own agent loop, which samples and calls tools by itself during a turn."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from omnigent.runner.harnesses.base import ApprovalRequest, ModelRequest, SampleEvent, ToolCall
from omnigent.runner.harnesses.patience import Patience
from omnigent.runner.policy_gate import Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineSettings:
    """Where an engine of one session works and how it reaches its provider.

    `state_dir` is the session's own and outlives the process: what resumes a conversation belongs there.
    `environment` is that of child processes, without secrets; `config` is the agent's `executor.config`;
    `timeout_seconds` is for how long the provider may send nothing. `own_tools` says whether the engine's own
    tools may act on this machine: never for an agent without `os_env`, nor for one whose sandbox, which does
    not bind an engine, is to confine it. `patience` is the agent's; of it `timeout_seconds` is made already.
    """

    session_id: str
    state_dir: Path
    workspace: Path
    environment: Mapping[str, str]
    api_key: str = field(default="", repr=False)
    base_url: str = ""
    timeout_seconds: float = 120.0
    config: Mapping[str, str] = field(default_factory=dict)
    own_tools: bool = False
    patience: Patience = field(default_factory=Patience)


class Desk(Protocol):
    """What an engine asks of its session while it runs a turn. Everything may be called concurrently."""

    async def call(self, call: ToolCall) -> str:
        """Run one of the request's tools: announced, gated, executed and stored; the text for the model.

        Raises Declined when a person said no to the whole turn; the engine lets that pass through.
        """
        ...

    async def permit(self, call: ToolCall) -> Verdict:
        """Announce a tool of the engine's own and ask the policies (and by them people) about it.

        Whatever the verdict, `settle` tells how it ended.
        """
        ...

    async def settle(self, call: ToolCall, output: str) -> Verdict:
        """Store the output of a permitted or refused tool; on a refusal its text is not kept."""
        ...

    async def ask(self, request: ApprovalRequest) -> str:
        """What a person answers: `accept`, `decline` or `cancel`."""
        ...

    def steers(self) -> Sequence[Mapping[str, Any]]:
        """Messages that came since the turn began; whoever takes them has to hand them to the model."""
        ...

    async def may_sample(self, request: ModelRequest) -> Verdict:
        """What the policies say before one request to the model, for engines that can hold it back."""
        ...


class Engine(Protocol):
    """One session's engine. It lives from turn to turn; `close` ends everything it started.

    `run` streams one turn: text, reasoning, retries and usage as they come, `Finished` last; tools go through
    the desk and are not among its events. The items that the request marks with CURRENT_TURN are new; what
    stands before them the engine may know already, and has to be told when it does not. It raises ModelError.
    Cancelling the consuming task interrupts the turn, and the engine can run the next one afterwards.
    """

    samples_itself: bool
    """False when the engine calls `may_sample` for each request; else it is asked once before a turn."""

    def run(self, request: ModelRequest, desk: Desk) -> AsyncIterator[SampleEvent]:
        """Run one turn."""
        ...

    async def close(self) -> None:
        """End processes and connections; files that resume the conversation stay."""
        ...
