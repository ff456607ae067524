"""What requests to a host and their results have in common."""

from dataclasses import dataclass

from omnigent.protocol.frames import Frame


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask(Frame):
    """Base of server-to-host requests; the result carries the same `request_id`."""

    request_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Result(Frame):
    """Base of host-to-server results; `status` words are listed per class, `error` says why it failed."""

    request_id: str
    status: str
    error: str | None = None
