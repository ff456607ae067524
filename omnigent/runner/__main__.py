"""`python -m omnigent.runner`: starts one runner process; the host does this for every session tree."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence

from omnigent.runner.app import RunnerApp
from omnigent.runner.config import ConfigError, RunnerConfig, read_config
from omnigent.runner.harnesses.contributions import installed_rows

_STANDARD = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"})


class FieldsFormatter(logging.Formatter):
    """One line per event: time, level, event, and its fields as `name=value`."""

    def format(self, record: logging.LogRecord) -> str:
        fields = [f" {name}={value!r}" for name, value in vars(record).items() if name not in _STANDARD]
        record.msg, record.args = record.getMessage() + "".join(fields), None
        return super().format(record)


def main(arguments: Sequence[str]) -> int:
    handler = logging.StreamHandler()
    handler.setFormatter(FieldsFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=os.environ.get("OMNIGENT_LOG_LEVEL", "INFO"), handlers=[handler])
    for noisy in ("httpx", "httpcore", "httpx2", "httpcore2", "websockets", "openai", "anthropic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        config = read_config(arguments, os.environ)
    except ConfigError as exc:
        logging.getLogger(__name__).error("bad configuration: %s", exc)
        return 2
    return asyncio.run(_run(config))


async def _run(config: RunnerConfig) -> int:
    app = RunnerApp(config, harnesses=installed_rows())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, app.stop)
    return await app.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
