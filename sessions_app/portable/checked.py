"""What a checked archive holds, ready to be stored: small things in memory, rows on disk."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

import orjson

from sessions_app.portable.documents import AgentLine, Counts, FileLine, Missing, SessionLine
from sessions_app.portable.references import NewIds


class Rows:
    """Rows on disk, each a list of JSON values; they are read as often as needed."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self.count = 0

    def add(self, row: list[Any]) -> None:  # JSON values
        """Put a row at the end."""
        self._file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
        self.count += 1

    def batches(self, size: int) -> Iterator[list[list[Any]]]:
        """All rows in order, at most `size` together."""
        self._file.seek(0)
        batch: list[list[Any]] = []
        for line in self._file:
            batch.append(orjson.loads(line))
            if len(batch) == size:
                yield batch
                batch = []
        if batch:
            yield batch

    def close(self) -> None:
        """Delete them."""
        self._file.close()


@dataclass(kw_only=True, slots=True)
class Checked:
    """An archive that may be stored. The number in a session's, file's or agent's name is its place here.

    Rows of `items` are number of the session, position, id, type, status, response id, data, names of null
    members, time and author; those of `comments` are the number of the session and a `CommentLine`,
    those of `policies` likewise with a `PolicyLine`; those of `decisions` are the number of the session, the
    name of the log and the row's text in it.
    `lost` are the files whose bytes the archive does not hold.
    """

    ids: NewIds
    counts: Counts
    missing: list[Missing]
    agents: list[AgentLine] = field(default_factory=list)
    sessions: list[SessionLine] = field(default_factory=list)
    files: list[FileLine] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    items: Rows = field(default_factory=Rows)
    comments: Rows = field(default_factory=Rows)
    policies: Rows = field(default_factory=Rows)
    decisions: Rows = field(default_factory=Rows)

    def close(self) -> None:
        """Delete what is on disk."""
        self.items.close()
        self.comments.close()
        self.policies.close()
        self.decisions.close()
