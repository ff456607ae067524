"""What a command finds around it, as one value that a test can make up."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO

import httpx


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """Streams, environment and clock. `transport` stands in for the network; None is the real one."""

    environ: Mapping[str, str]
    stdin: TextIO = sys.stdin
    stdout: TextIO = sys.stdout
    stderr: TextIO = sys.stderr
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    transport: httpx.AsyncBaseTransport | None = None

    @property
    def is_interactive(self) -> bool:
        """Whether a person is at both ends."""
        is_dumb = self.environ.get("TERM", "dumb") == "dumb"
        return self.stdin.isatty() and self.stdout.isatty() and not is_dumb

    @property
    def config_directory(self) -> Path:
        """Where this program keeps what outlives a command."""
        base = self.environ.get("XDG_CONFIG_HOME") or f"{self.environ.get('HOME') or Path.home()}/.config"
        return Path(base) / "omnigent"

    @property
    def binary_input(self) -> BinaryIO:
        """The bytes of standard input."""
        return self.stdin.buffer

    @property
    def binary_output(self) -> BinaryIO:
        """The bytes of standard output."""
        return self.stdout.buffer
