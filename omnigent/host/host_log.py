"""Where the daemon writes down what it does: to the terminal or the journal, and to a file that rotates."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

from omnigent.host.config import HostConfig
from omnigent.host.config_file import ConfigError
from omnigent.logs import KeyValueFormatter


class PrivateRotatingFile(RotatingFileHandler):
    """A rotating file that only its owner can read."""

    def _open(self):  # type: ignore[no-untyped-def]  # the stream's type is the base class's affair
        with suppress(OSError):
            os.close(os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT, 0o600))
        return super()._open()


@contextmanager
def logging_to(config: HostConfig) -> Iterator[None]:
    """Log to standard error and to the file until the end. Raises ConfigError when there can be no file."""
    handlers: list[logging.Handler] = [logging.StreamHandler(), _file(config.log_path, config)]
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    # Every handshake is a line there.
    logging.getLogger("websockets").setLevel(logging.WARNING)
    for handler in handlers:
        handler.setFormatter(KeyValueFormatter())
        root.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()


def _file(path: Path, config: HostConfig) -> logging.Handler:
    try:
        return PrivateRotatingFile(
            path, maxBytes=config.log_bytes, backupCount=config.log_files, encoding="utf-8", errors="replace"
        )
    except OSError as error:
        raise ConfigError(f"cannot write the log {path}: {error.strerror}") from None
