"""Reading text/event-stream from chunks that are cut anywhere, by the rules of the HTML standard."""

from dataclasses import dataclass

MAX_FRAME_BYTES = 104_857_600


class FrameTooLargeError(ValueError):
    """One frame is larger than anything that a server sends."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One dispatched frame. `id` is the one it carried itself; None without an `id:` line."""

    event: str
    data: str
    id: str | None = None

    @property
    def is_done(self) -> bool:
        """Whether the server ends the stream on purpose with it."""
        return self.data == "[DONE]"


class FrameReader:
    """Incremental. What follows the last blank line counts only when its own blank line arrives."""

    def __init__(self, *, max_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max_bytes = max_bytes
        self._rest = bytearray()
        self._ended_in_cr = False
        self._is_first = True
        self._event = ""
        self._id: str | None = None
        self._data: list[str] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that these bytes complete. Raises FrameTooLargeError over the limit."""
        if self._ended_in_cr:
            # Perhaps the other half of a CRLF that was cut in two; that line has been taken already.
            chunk = chunk.removeprefix(b"\n")
        self._ended_in_cr = chunk.endswith(b"\r")
        *lines, rest = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        if lines:
            lines[0] = bytes(self._rest) + lines[0]
            self._rest.clear()
        self._rest += rest
        frames = [frame for frame in map(self._take, lines) if frame is not None]
        if len(self._rest) + self._size > self._max_bytes:
            raise FrameTooLargeError(f"a frame of more than {self._max_bytes} bytes")
        return frames

    def _take(self, line: bytes) -> Frame | None:
        if self._is_first:
            self._is_first = False
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        self._size += len(line)
        match name:
            case b"data":
                self._data.append(value.decode(errors="replace"))
            case b"event":
                self._event = value.decode(errors="replace")
            case b"id" if b"\0" not in value:
                self._id = value.decode(errors="replace")
            case _:
                pass
        return None

    def _dispatch(self) -> Frame | None:
        frame = Frame(self._event or "message", "\n".join(self._data), self._id) if self._data else None
        self._event, self._id, self._data, self._size = "", None, [], 0
        return frame
