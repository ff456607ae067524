"""`python -m bench.delivery_loss`: what a kill -9 of the server costs a runner that cannot acknowledge.

The server is killed in the middle of streamed answers. Counted is the text that the runner had sent and that
is in no item in the end. Runners of this product acknowledge, and lose nothing.
"""

import argparse
import os
import random
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bench.installation import stores
from tests.e2e.api import texts
from tests.e2e.stack import Flavour, Stack, running_stack
from tests.failures.released import ReleasedRunner
from tests.services.postgres import private_postgres
from tests.services.processes import private_directory

WORDS = tuple(f"{number:04} " for number in range(300))
PER_SECOND = (30, 300)
SECONDS = 60.0
RUNNER_SECONDS = 20.0


@contextmanager
def installation(store: str) -> Iterator[Stack]:
    """One server on uvicorn, whose tunnels are dialled directly."""
    with ExitStack() as stack:
        directory = stack.enter_context(private_directory("loss"))
        os.chown(directory, os.geteuid(), os.getegid())
        postgres = stack.enter_context(private_postgres(durable=True)) if store == "postgresql" else None
        flavour = Flavour(name=store, server="uvicorn", replicas=1, postgres=postgres)
        yield stack.enter_context(running_stack(flavour, directory))


def lost(stack: Stack, per_second: int, dice: random.Random) -> int:
    """Characters that one kill cost. Fails if it cost more than text: a prompt twice, a turn that stays."""
    with ReleasedRunner(stack.replica_url(0), words=WORDS, pace=1 / per_second) as runner:
        stack.wait_runner(runner.runner_id)
        session_id = str(stack.api.create(host_id=None)["id"])
        bound = stack.api.http.patch(f"/v1/sessions/{session_id}", json={"runner_id": runner.runner_id})
        bound.raise_for_status()
        stream = stack.stream(session_id, after=0)
        stack.api.message(session_id, "Go")
        awaited = dice.choice(WORDS[10:150])
        stream.wait(
            lambda frames: any(awaited in frame.data for frame in frames),
            seconds=SECONDS,
            what=f"word {awaited}",
        )
        # The moment of death is what the dice are for.
        time.sleep(dice.uniform(0, 0.1))
        stack.servers[0].kill()
        stack.start_server(0)
        stream.wait_settled(seconds=SECONDS)
        said = "".join(texts(stack.api.items(session_id), "assistant"))
        if runner.prompts != ["Go"]:
            raise AssertionError(f"prompts: {runner.prompts}")
    stack.close_streams()
    return len("".join(WORDS)) - len(said)


def main() -> None:
    """Kill the server again and again, and print the cost of each pace."""
    parser = argparse.ArgumentParser(prog="python -m bench.delivery_loss", description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="per store and pace")
    parser.add_argument("--store", action="append", choices=("sqlite", "postgresql"), help="default: both")
    parser.add_argument("--seed", default="1")
    options = parser.parse_args()
    for store in options.store or stores():
        with installation(store) as stack:
            for per_second in PER_SECOND:
                dice = random.Random(options.seed)
                costs = [lost(stack, per_second, dice) for _ in range(options.kills)]
                print(
                    f"{store}, {per_second} words of 5 characters a second, {options.kills} kills: "
                    f"characters lost median {statistics.median(costs):g}, max {max(costs)}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
