"""A command line that runs in a sandbox, or as it is when the agent asks for none."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_OPTIONS: Final = 3
_FILTER: Final = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """How a command is started: in which host directory, and with which environment.

    `program` is bubblewrap, or empty for no sandbox. Its options travel on a descriptor, because a command
    line has a limit and everybody can read it.
    """

    command: Sequence[str]
    directory: Path
    environment: Mapping[str, str]
    program: str = ""
    options: Sequence[str] = ()
    filter_program: bytes = field(default=b"", repr=False)

    @property
    def is_confined(self) -> bool:
        return bool(self.program)

    @contextlib.contextmanager
    def opened(self) -> Iterator[tuple[list[str], tuple[int, ...]]]:
        """The command line, and the descriptors that its process must inherit under the same numbers."""
        if not self.is_confined:
            yield list(self.command), ()
            return
        with contextlib.ExitStack() as stack:
            numbers = [stack.enter_context(_held(content)) for content in self._contents()]
            yield self._line(*numbers), tuple(numbers)

    def fixed(self) -> tuple[list[str], dict[int, bytes]]:
        """The command line, and what its process must find on which descriptors."""
        if not self.is_confined:
            return list(self.command), {}
        contents = dict(zip((_OPTIONS, _FILTER), self._contents(), strict=False))
        return self._line(*contents), contents

    def _contents(self) -> list[bytes]:
        options = "".join(f"{option}\0" for option in self.options).encode("utf-8", "surrogateescape")
        return [options, self.filter_program] if self.filter_program else [options]

    def _line(self, options: int, filter_program: int | None = None) -> list[str]:
        filtering = [] if filter_program is None else ["--seccomp", str(filter_program)]
        return [self.program, "--args", str(options), *filtering, "--", *self.command]


@contextlib.contextmanager
def _held(content: bytes) -> Iterator[int]:
    """A descriptor from which the content is read."""
    descriptor = os.memfd_create("sandbox")
    try:
        os.write(descriptor, content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)
