"""A database that fails on demand, for the threads that a test names."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError
from django.db.backends.signals import connection_created


class Trouble:
    """Statements of `thread` that contain `on` fail `times` times; `failed` counts them."""

    def __init__(self) -> None:
        self.thread = "writer"
        self.on = ""
        self.times = 0
        self.failed = 0

    def begin(self, times: int, *, on: str) -> None:
        """Fail from now on."""
        self.times, self.on, self.failed = times, on, 0

    def end(self) -> None:
        """Work again."""
        self.times = 0

    def wrap(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        """Stands around every statement of every connection made while it is installed."""
        if self.failed < self.times and self.on in sql and threading.current_thread().name == self.thread:
            self.failed += 1
            raise OperationalError("injected")
        return execute(sql, params, many, context)


@contextmanager
def troubled() -> Iterator[Trouble]:
    """Install it on connections that are made from now on."""
    trouble = Trouble()

    def install(connection: Any, **kwargs: Any) -> None:
        connection.execute_wrappers.append(trouble.wrap)

    connection_created.connect(install)
    try:
        yield trouble
    finally:
        trouble.end()
        connection_created.disconnect(install)
