"""The errors of an input that is refused."""

from collections.abc import Mapping, Sequence
from typing import Any


class InputError(ValueError):
    """An input that its type does not allow; the text is shown to the client (400)."""


class EnvelopeError(InputError):
    """A body that is no input at all (422); `detail` lists the problems as FastAPI's validators do."""

    def __init__(self, detail: Sequence[Mapping[str, Any]]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, row['loc']))}: {row['msg']}" for row in detail))
        self.detail = tuple(detail)
