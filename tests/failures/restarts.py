"""A random schedule of restarts: what is ended how, and how long until the next one; it comes from a seed."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from tests.e2e.program import Program
from tests.e2e.stack import Stack

SIGNALS = (signal.SIGKILL, signal.SIGTERM)
END_SECONDS = 30.0
LONGEST_PAUSE = 3.0


@dataclass(frozen=True, kw_only=True)
class Restart:
    """One step. `number` chooses among several servers; of runners it ends all."""

    kind: str
    signal: signal.Signals
    number: int
    pause: float

    def __str__(self) -> str:
        return f"{self.signal.name} to {self.kind} {self.number}, then {self.pause:.2f} s"


def schedule(seed: str, steps: int) -> Iterator[Restart]:
    """Servers, hosts, runners and lines, in any order. Pauses are short: often one is down with another."""
    dice = Random(seed)
    for _ in range(steps):
        yield Restart(
            kind=dice.choices(tuple(KINDS), weights=WEIGHTS)[0],
            signal=dice.choice(SIGNALS),
            number=dice.randrange(100),
            pause=dice.choice((0.0, dice.uniform(0.0, LONGEST_PAUSE))),
        )


def perform(stack: Stack, step: Restart) -> None:
    """End it and, but for a runner, start it again at once. Nobody waits until it is ready."""
    KINDS[step.kind](stack, step)


def _again(program: Program, number: signal.Signals) -> None:
    if program.is_running:
        program.signal(number)
    program.wait(END_SECONDS)
    program.start()


def _server(stack: Stack, step: Restart) -> None:
    _again(stack.servers[step.number % len(stack.servers)], step.signal)


def _host(stack: Stack, step: Restart) -> None:
    _again(stack.host, step.signal)


def _runner(stack: Stack, step: Restart) -> None:
    for pid in stack.runner_pids():
        with suppress(ProcessLookupError):
            os.kill(pid, step.signal)


def _lines(stack: Stack, step: Restart) -> None:
    stack.tunnels.kill_connections()


KINDS: dict[str, Callable[[Stack, Restart], None]] = {
    "server": _server,
    "host": _host,
    "runner": _runner,
    "lines": _lines,
}
WEIGHTS = (3, 2, 2, 1)
