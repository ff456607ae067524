"""Runs a host whose runners are the stub, as a process of its own: server URL, data dir, behaviour."""

import asyncio
import os
import sys

from omnigent.host.app import Host
from omnigent.host.config import HostOptions, resolve
from omnigent.host.readiness import ReadinessBoard, probe
from omnigent.host.runner_process import LaunchSettings
from tests.host.doubles import STUB_RUNNER


async def main() -> int:
    server, data_dir, behaviour = sys.argv[1:]
    config = resolve(HostOptions(server=server, data_dir=data_dir), {})
    launch = LaunchSettings(
        server_url=server,
        log_dir=config.log_dir,
        environ=dict(os.environ),
        module=STUB_RUNNER,
        arguments=(behaviour,),
    )
    return await Host(config=config, launch=launch, readiness=ReadinessBoard(source=lambda: probe({}))).run()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
