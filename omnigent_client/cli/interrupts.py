"""Ctrl-C reaches a command, whoever started it and whatever it waits for."""

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def heeded() -> Iterator[None]:
    """Make SIGINT a KeyboardInterrupt also where it is ignored.

    A shell without job control starts `command &` with SIGINT ignored, a child inherits that, and
    `asyncio.run` leaves it so: a command that looks on for ever would have no way to be ended by it.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def waking(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Let every signal wake the loop, to be called in it.

    A signal that comes between two instructions and the loop's going to sleep, or to another thread, is only
    noted. Its handler would run when something else wakes the loop.
    """
    if not isinstance(loop, asyncio.SelectorEventLoop):
        # The one of Windows does this itself.
        yield
        return
    reader, writer = socket.socketpair()
    with reader, writer:
        reader.settimeout(0)
        writer.settimeout(0)
        loop.add_reader(reader, reader.recv, 4096)
        before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            loop.remove_reader(reader)
