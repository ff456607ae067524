"""`python -m tests.model_server --port N --script NAME`: a script as a process; port 0 picks one."""

import argparse
import asyncio
import signal
import sys

from tests.model_server.conversation import converse
from tests.model_server.sentences import follow
from tests.model_server.server import ModelServer

SCRIPTS = {"converse": converse, "sentences": follow}


async def serve(port: int, script: str) -> None:
    """Serve until SIGINT or SIGTERM; the first line on standard output is the address."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with ModelServer(port=port, respond=SCRIPTS[script]) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        await stopped.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.model_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--script", choices=sorted(SCRIPTS), default="converse")
    options = parser.parse_args()
    asyncio.run(serve(options.port, options.script))


if __name__ == "__main__":
    main()
