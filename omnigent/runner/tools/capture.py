"""The output of a process, kept within a bound however much there is: its beginning and its end."""

from collections import deque
from typing import Final

DEFAULT_CAP: Final = 100_000


class Capture:
    """Bytes as they come; `text` is what is worth showing."""

    def __init__(self, cap: int = DEFAULT_CAP) -> None:
        self._head_cap = cap // 2
        self._tail_cap = cap - self._head_cap
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self._total = 0

    def feed(self, data: bytes) -> None:
        self._total += len(data)
        room = self._head_cap - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        if not data:
            return
        self._tail.append(data)
        self._tail_size += len(data)
        while self._tail and self._tail_size - len(self._tail[0]) >= self._tail_cap:
            self._tail_size -= len(self._tail.popleft())

    def text(self) -> str:
        """Decoded as UTF-8 with replacements; a cut in the middle is stated."""
        tail = b"".join(self._tail)[-self._tail_cap :]
        omitted = self._total - len(self._head) - len(tail)
        if omitted <= 0:
            return (bytes(self._head) + tail).decode("utf-8", "replace")
        head = bytes(self._head).decode("utf-8", "ignore")
        return f"{head}\n[... {omitted} bytes omitted ...]\n{tail.decode('utf-8', 'ignore')}"
