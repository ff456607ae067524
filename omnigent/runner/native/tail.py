"""Reads the complete lines of a growing JSONL file."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from omnigent.protocol.codec import FrameError, decode

log = logging.getLogger(__name__)

MOST_AT_ONCE: Final = 4 * 1024 * 1024
LONGEST_LINE: Final = 64 * 1024 * 1024


class Tail:
    """Goes on where the last read ended; `offset` counts bytes of the file."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.path = path
        self.offset = offset

    def read(self) -> list[tuple[dict[str, Any], int]]:
        """The records that have come, each with the offset behind it; empty when there are none.

        A line that is no object is left out, and so is one that has no end yet.
        """
        try:
            size = self.path.stat().st_size
            if size <= self.offset:
                return []
            with self.path.open("rb") as file:
                file.seek(self.offset)
                data = file.read(MOST_AT_ONCE)
                while b"\n" not in data and len(data) < LONGEST_LINE and (more := file.read(MOST_AT_ONCE)):
                    data += more
        except OSError:
            return []
        return list(self._records(data))

    def passed(self) -> Iterator[dict[str, Any]]:
        """The records before `offset`, which were read by somebody else."""
        before, end = Tail(self.path), self.offset
        while before.offset < end and (records := before.read()):
            yield from (record for record, offset in records if offset <= end)

    def _records(self, data: bytes) -> Iterator[tuple[dict[str, Any], int]]:
        whole, newline, _ = data.rpartition(b"\n")
        if not newline and len(data) >= LONGEST_LINE:
            # Too long for a record: what follows is read as a line that is none, and left out.
            self.offset += len(data)
        for line in whole.split(b"\n") if newline else ():
            self.offset += len(line) + 1
            try:
                record = decode(line)
            except FrameError:
                if line.strip():
                    log.warning("unreadable line in a transcript", extra={"path": str(self.path)})
                continue
            if isinstance(record, dict):
                yield record, self.offset
