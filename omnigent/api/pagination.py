"""Keyset paging for every list: by sort column and insertion counter, with cursors that are plain ids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from django.db import connection
from django.db.models import Model, Q, QuerySet
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import canonical

Row = TypeVar("Row")
M = TypeVar("M", bound=Model)
Direction = Literal["asc", "desc"]
Position = tuple[Any, ...]  # the cursor row's sort values, compared by the database only

MAX_LIMIT = 1000


class PageQuery(BaseModel):
    """The paging parameters of a list; lists with filters subclass it."""

    model_config = ConfigDict(extra="ignore")

    limit: int = Field(default=20, ge=1, le=MAX_LIMIT)
    after: str | None = None
    before: str | None = None
    order: Annotated[str, StringConstraints(pattern="^(asc|desc)$")] = "desc"

    def page(self, prefix: str) -> "Page":
        """The page that is asked for; an empty cursor means none. `prefix` is that of the listed ids."""
        return Page(
            limit=self.limit,
            after=cursor(prefix, self.after) if self.after else None,
            before=cursor(prefix, self.before) if self.before else None,
            descending=self.order == "desc",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """One page of a list. `after` and `before` are canonical ids."""

    limit: int
    after: str | None = None
    before: str | None = None
    descending: bool = True

    @property
    def cursors(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(each for each in (self.after, self.before) if each is not None))


def cursor(prefix: str, text: str) -> str:
    found = canonical(prefix, text)
    if found is None:
        raise OmnigentError(ErrorCode.NOT_FOUND, "Not found.")
    return found


def stale_cursor(text: str) -> OmnigentError:
    return OmnigentError(
        ErrorCode.STALE_CURSOR,
        f"pagination cursor '{text}' no longer exists; restart the enumeration without it",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Keyset:
    """How a list is ordered: `columns` ends in the unique, growing insertion counter.

    The columns must not be null and must be the same names for the QuerySet and, in raw SQL, for the table.
    """

    id_column: str
    columns: tuple[str, ...]

    def positions(self, scope: QuerySet[M], page: Page) -> Mapping[str, Position]:
        """Where the page's cursors stand, in one statement. `scope` is what the caller may list, before any
        filter: a row that no longer matches a filter is still a good cursor.
        """
        if not page.cursors:
            return {}
        rows = scope.filter(**{f"{self.id_column}__in": page.cursors}).order_by()
        found = {row[0]: row[1:] for row in rows.values_list(self.id_column, *self.columns)}
        return self._complete(page, found)

    def positions_in(
        self, table: str, page: Page, *, condition: str = "TRUE", params: Sequence[Any] = ()
    ) -> Mapping[str, Position]:
        """The same in SQL. `condition` (with `params`) limits the rows that may serve as cursors."""
        if not page.cursors:
            return {}
        marks = ", ".join(["%s"] * len(page.cursors))
        columns = ", ".join((self.id_column, *self.columns))
        with connection.cursor() as db:
            db.execute(
                f"SELECT {columns} FROM {table} WHERE {self.id_column} IN ({marks}) AND ({condition})",
                [*page.cursors, *params],
            )
            found = {row[0]: row[1:] for row in db.fetchall()}
        return self._complete(page, found)

    def apply(self, rows: QuerySet[M], page: Page, positions: Mapping[str, Position]) -> QuerySet[M]:
        """Order, cut at the cursors, and read one row more than the page holds (see `cut`)."""
        if page.after is not None:
            rows = rows.filter(self._beyond(positions[page.after], is_greater=not page.descending))
        if page.before is not None:
            rows = rows.filter(self._beyond(positions[page.before], is_greater=page.descending))
        sign = "-" if page.descending else ""
        return rows.order_by(*(f"{sign}{column}" for column in self.columns))[: page.limit + 1]

    def condition(
        self, page: Page, positions: Mapping[str, Position], *, alias: str
    ) -> tuple[str, list[object]]:
        """The cursors' part of a WHERE clause over `alias`, and its parameters; `TRUE` without cursors."""
        left = ", ".join(f"{alias}.{column}" for column in self.columns)
        right = ", ".join(["%s"] * len(self.columns))
        parts: list[str] = []
        params: list[object] = []
        for text, sign in (
            (page.after, "<" if page.descending else ">"),
            (page.before, ">" if page.descending else "<"),
        ):
            if text is not None:
                parts.append(f"({left}) {sign} ({right})")
                params += positions[text]
        return " AND ".join(parts) or "TRUE", params

    def order_by(self, page: Page, *, alias: str) -> str:
        """The columns of an ORDER BY clause."""
        direction = "DESC" if page.descending else "ASC"
        return ", ".join(f"{alias}.{column} {direction}" for column in self.columns)

    def _beyond(self, position: Position, *, is_greater: bool) -> Q:
        comparison = "gt" if is_greater else "lt"
        *leading, counter = zip(self.columns, position, strict=True)
        condition = Q(**{f"{counter[0]}__{comparison}": counter[1]})
        for column, value in reversed(leading):
            # The redundant outer bound is what lets the planner use an index range.
            condition = Q(**{f"{column}__{comparison}e": value}) & (
                Q(**{f"{column}__{comparison}": value}) | condition
            )
        return condition

    def _complete(self, page: Page, found: Mapping[str, Position]) -> Mapping[str, Position]:
        for text in page.cursors:
            if text not in found:
                raise stale_cursor(text)
        return found


def cut(rows: Sequence[Row], page: Page) -> tuple[Sequence[Row], bool]:
    """Drop the surplus row; whether there was one is `has_more`."""
    return rows[: page.limit], len(rows) > page.limit


def envelope(data: Sequence[Any], ids: Sequence[str], *, has_more: bool) -> dict[str, Any]:
    """The page as it is sent. `data` may hold `orjson.Fragment`s, hence the ids beside it."""
    return {
        "object": "list",
        "data": data,
        "first_id": ids[0] if ids else None,
        "last_id": ids[-1] if ids else None,
        "has_more": has_more,
    }
