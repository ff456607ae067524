"""`python -m tests.model_server --port N`: the default script as a process; 0 picks a port."""

import argparse
import asyncio
import signal
import sys

from tests.model_server.server import ModelServer


async def serve(port: int) -> None:
    """Serve until SIGINT or SIGTERM; the first line on standard output is the address."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with ModelServer(port=port) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        await stopped.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.model_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
