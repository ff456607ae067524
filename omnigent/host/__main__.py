"""`python -m omnigent.host --server URL`: run the host daemon until it is told to stop."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial

from omnigent.host.app import Host
from omnigent.host.config import ConfigError, DataDirLock, HostConfig, HostOptions, resolve
from omnigent.host.environment import runner_environment
from omnigent.host.launcher import LaunchSettings
from omnigent.host.readiness import ReadinessBoard, probe
from omnigent.logs import KeyValueFormatter
from omnigent.runner.harnesses.contributions import installed_rows

log = logging.getLogger("omnigent.host")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, lock, run; returns the exit code."""
    options = _parse(arguments)
    output = logging.StreamHandler()
    output.setFormatter(KeyValueFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[output])
    # Every handshake is a line there.
    logging.getLogger("websockets").setLevel(logging.WARNING)
    try:
        config = resolve(options, os.environ)
        lock = DataDirLock(config.data_dir)
        lock.acquire()
    except ConfigError as error:
        sys.stderr.write(f"omnigent.host: {error}\n")
        return 2
    try:
        return asyncio.run(_serve(config))
    finally:
        lock.release()


async def _serve(config: HostConfig) -> int:
    host = Host(
        config=config,
        launch=LaunchSettings(server_url=config.server_url, log_dir=config.log_dir, environ=dict(os.environ)),
        readiness=ReadinessBoard(source=partial(probe, runner_environment(os.environ), installed_rows())),
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, host.stop)
    fields = {"host": config.name, "host_id": config.host_id, "server": config.server_url}
    log.info("started", extra=fields)
    return await host.run()


def _parse(arguments: Sequence[str] | None) -> HostOptions:
    parser = argparse.ArgumentParser(prog="python -m omnigent.host", description=__doc__)
    parser.add_argument("--server", required=True, metavar="URL", help="server to register with")
    parser.add_argument("--name", default="", help="name shown for this host (default: the machine's name)")
    parser.add_argument("--data-dir", default="", metavar="DIR", help="where the host keeps its id and logs")
    parser.add_argument(
        "--workspace-root", default="", metavar="DIR", help="where new workspaces go (default: ~/omnigent)"
    )
    parser.add_argument(
        "--root",
        action="append",
        default=[],
        metavar="DIR",
        help="allow only these directories and the workspace root; repeatable (default: all)",
    )
    parsed = parser.parse_args(arguments)
    return HostOptions(
        server=parsed.server,
        name=parsed.name,
        data_dir=parsed.data_dir,
        workspace_root=parsed.workspace_root,
        roots=tuple(parsed.root),
    )


if __name__ == "__main__":
    sys.exit(main())
