"""`python -m omnigent.host --server URL`: run the host daemon until it is told to stop."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial

from omnigent.host.app import Host
from omnigent.host.config import DEFAULT_DATA_DIR, HostConfig, HostOptions, resolve
from omnigent.host.config_file import NAME, ConfigError
from omnigent.host.environment import runner_environment
from omnigent.host.host_log import logging_to
from omnigent.host.lock import ServerLock
from omnigent.host.readiness import ReadinessBoard, probe
from omnigent.host.report import status_line, status_lines
from omnigent.host.runner_process import LaunchSettings
from omnigent.runner.harnesses.contributions import installed_rows

DESCRIPTION = """\
Serve this machine to an Omnigent server. The daemon dials the server, registers, and starts and stops runners
when it is told to; nothing listens here. It ends on Ctrl-C or SIGTERM, and its runners with it.
"""
EPILOG = f"""\
Each option may also stand in the environment or in a TOML file, {NAME} in the data directory unless --config
names another; options win over the environment, and that over the file. OMNIGENT_TOKEN holds the token for a
server that wants one.

exit codes: 0 stopped, 1 the server turned this host away, 2 it cannot start like this, 77 not signed in
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, lock, run; returns the exit code."""
    options, is_check = _parse(arguments)
    try:
        config = resolve(options, os.environ)
        if is_check:
            sys.stdout.writelines(f"{line}\n" for line in status_lines(config, _board(config).advice))
            return 0
        lock = ServerLock(config.lock_path, config.server_url)
        lock.acquire()
    except ConfigError as error:
        return _refused(error)
    try:
        with logging_to(config):
            return asyncio.run(_serve(config))
    except ConfigError as error:
        return _refused(error)
    finally:
        lock.release()


async def _serve(config: HostConfig) -> int:
    board = _board(config)
    host = Host(
        config=config,
        launch=LaunchSettings(
            server_url=config.server_url,
            log_dir=config.log_dir,
            environ=config.environment(os.environ),
            log_limits=config.runner_logs,
        ),
        readiness=board,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, host.stop)
    sys.stderr.write(status_line(config, board.advice) + "\n")
    exit_code = await host.run()
    if host.ending:
        sys.stderr.write(f"omnigent.host: {host.ending}\n")
    return exit_code


def _board(config: HostConfig) -> ReadinessBoard:
    environ = runner_environment(config.environment(os.environ))
    return ReadinessBoard(source=partial(probe, environ, installed_rows()))


def _refused(error: ConfigError) -> int:
    sys.stderr.write(f"omnigent.host: {error}\n")
    return 2


def _parse(arguments: Sequence[str] | None) -> tuple[HostOptions, bool]:
    parser = argparse.ArgumentParser(
        prog="python -m omnigent.host",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--server", default="", metavar="URL", help="server to register with")
    parser.add_argument("--name", default="", help="name shown for this host (default: the machine's name)")
    parser.add_argument("--config", default="", metavar="FILE", help="file of settings")
    parser.add_argument(
        "--data-dir",
        default="",
        metavar="DIR",
        help=f"where the host keeps its id, settings and logs (default: {DEFAULT_DATA_DIR})",
    )
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
    parser.add_argument(
        "--check", action="store_true", help="show what it would do and which harnesses can run, and end"
    )
    parsed = parser.parse_args(arguments)
    options = HostOptions(
        server=parsed.server,
        name=parsed.name,
        config=parsed.config,
        data_dir=parsed.data_dir,
        workspace_root=parsed.workspace_root,
        roots=tuple(parsed.root),
    )
    return options, parsed.check


if __name__ == "__main__":
    sys.exit(main())
