"""Paged lists: one page as it came, and walking from page to page."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from omnigent_client.decoding import Record, read
from omnigent_client.errors import InvalidAnswerError

T = TypeVar("T")
RecordT = TypeVar("RecordT", bound=Record)


@dataclass(frozen=True, kw_only=True, slots=True)
class Page(Generic[T]):
    """Some rows of a list, in order. `last_id` is the `after` of the next page while `has_more`."""

    data: tuple[T, ...]
    has_more: bool = False
    first_id: str | None = None
    last_id: str | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __iter__(self) -> Iterator[T]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> T:
        return self.data[index]


def read_page(cls: type[RecordT], value: object, *, member: str = "data") -> Page[RecordT]:
    """A list answer; `member` is where its rows are."""
    rows = value.get(member) if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping) or not isinstance(rows, list):
        raise InvalidAnswerError(f"not a list of {cls.__name__}: no {member}")
    return Page(
        data=tuple(read(cls, row) for row in rows),
        has_more=value.get("has_more") is True,
        first_id=value.get("first_id"),
        last_id=value.get("last_id"),
        raw=value,
    )


async def walk(fetch: Callable[[str | None], Awaitable[Page[T]]], after: str | None) -> AsyncIterator[T]:
    """Every row from `after` on; `fetch(after)` gets one page.

    Raises StaleCursorError when the row that a page ended with is deleted before the next page is fetched.
    """
    while True:
        page = await fetch(after)
        for row in page.data:
            yield row
        if not page.has_more:
            return
        if not page.last_id or page.last_id == after:
            raise InvalidAnswerError("a page says that there is more and does not say from where")
        after = page.last_id


async def collect(rows: AsyncIterator[T]) -> tuple[T, ...]:
    """All of them."""
    return tuple([row async for row in rows])
