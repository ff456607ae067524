"""text/event-stream: writing frames, and reading them back from chunks cut anywhere."""

from dataclasses import dataclass

DONE = b"event: done\ndata: [DONE]\n\n"
"""Ends a stream on purpose; the `event:` line is there because released clients drop a bare `data:` line."""

MAX_MESSAGE_BYTES = 104_857_600


class StreamError(ValueError):
    """A stream that cannot be read on: a line or a message over the limit."""


@dataclass(frozen=True, slots=True)
class Message:
    """One dispatched message. `id` is the one it carried itself, None without an `id:` line."""

    event: str
    data: str
    id: str | None = None

    @property
    def is_done(self) -> bool:
        """Whether this ends the stream."""
        return self.data == "[DONE]"


def encode(event: str, data: bytes, id: int | str | None = None) -> bytes:
    """One frame. `data` must be a single line, as compact JSON is."""
    if b"\n" in data or b"\r" in data:
        raise ValueError("SSE data must be one line")
    if id is None:
        return b"event: %b\ndata: %b\n\n" % (event.encode(), data)
    return b"event: %b\nid: %b\ndata: %b\n\n" % (event.encode(), str(id).encode(), data)


def encode_data(data: bytes, id: str | None = None) -> bytes:
    """One frame without an event name, as a runner sends it to the server."""
    if b"\n" in data or b"\r" in data:
        raise ValueError("SSE data must be one line")
    if id is None:
        return b"data: %b\n\n" % data
    return b"id: %b\ndata: %b\n\n" % (id.encode(), data)


class Decoder:
    """Incremental reader by the rules of the HTML standard; a message counts when its blank line arrived.

    `last_id` is the last id seen on any message. Bytes that are not UTF-8 become U+FFFD.
    """

    def __init__(self, *, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self.last_id: str | None = None
        self._max_bytes = max_bytes
        self._tail: list[bytes] = []
        self._tail_bytes = 0
        self._skip_newline = False
        self._at_start = True
        self._event = ""
        self._id: str | None = None
        self._data: list[str] = []
        self._data_bytes = 0

    def feed(self, chunk: bytes) -> list[Message]:
        """Take the next bytes; return the messages they complete. Raises StreamError over the limit."""
        if not chunk:
            return []
        if self._skip_newline:
            self._skip_newline = False
            chunk = chunk.removeprefix(b"\n")
        if b"\r" in chunk:
            # A CR at the end may be half of a CRLF: it ends the line now, and its LF is swallowed later.
            self._skip_newline = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = chunk.split(b"\n")
        rest = lines.pop()
        if lines and self._tail:
            lines[0] = b"".join((*self._tail, lines[0]))
            self._tail.clear()
            self._tail_bytes = 0
        messages: list[Message] = []
        for line in lines:
            self._take_line(line, messages)
        if rest:
            self._tail.append(rest)
            self._tail_bytes += len(rest)
            if self._tail_bytes > self._max_bytes:
                raise StreamError(f"SSE line over {self._max_bytes} bytes")
        return messages

    def _take_line(self, raw: bytes, messages: list[Message]) -> None:
        if self._at_start:
            self._at_start = False
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        if not raw:
            self._dispatch(messages)
            return
        name, _, value = raw.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data_bytes += len(value) + 1
            if self._data_bytes > self._max_bytes:
                raise StreamError(f"SSE message over {self._max_bytes} bytes")
            self._data.append(value.decode(errors="replace"))
        elif name == b"event":
            self._event = value.decode(errors="replace")
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode(errors="replace")

    def _dispatch(self, messages: list[Message]) -> None:
        if self._id is not None:
            self.last_id = self._id
        if self._data:
            messages.append(Message(self._event or "message", "\n".join(self._data), self._id))
        self._event, self._id = "", None
        self._data.clear()
        self._data_bytes = 0
