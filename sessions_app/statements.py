"""Query text compiled once: a QuerySet defines a hot read, its SQL is kept and only the values change."""

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import BooleanField, Expression, F, Field, Func, Model, QuerySet, TextField
from django.db.models.sql.compiler import SQLCompiler

Row = tuple[Any, ...]  # a database row, typed by whoever wrote the query
_SqlParams = tuple[str, Any]  # the stubs know no holes among the parameters


@dataclass(frozen=True, slots=True)
class _Hole:
    """Stands among the parameters of compiled text where a named value goes."""

    name: str


class Slot(Expression):
    """A value that is given when the statement runs."""

    def __init__(self, name: str, output_field: "Field[Any, Any] | None" = None) -> None:
        super().__init__(output_field=output_field or TextField())
        self.name = name

    def as_sql(self, compiler: SQLCompiler, connection: Any) -> _SqlParams:
        return "%s", [_Hole(self.name)]


class Past(Func):
    """True for rows strictly past the row whose public id is in `slot`, in the order (column, tie-breaker).

    Both values of the cursor row come from the database; an unknown cursor makes it true for no row. Written
    as a row comparison, which an index on both columns answers. With `scope` the cursor row must share that
    column with the rows.
    """

    output_field = BooleanField()
    conditional = True

    def __init__(
        self, model: type[Model], column: str, tie: str, slot: str, *, ascending: bool, scope: str = ""
    ) -> None:
        super().__init__(*(F(name) for name in (column, tie, scope) if name))
        self.table = model._meta.db_table
        self.columns = [column_of(model, name) for name in dict.fromkeys((column, tie))]
        self.scope = scope
        self.slot = slot
        self.operator = ">" if ascending else "<"

    def as_sql(self, compiler: SQLCompiler, connection: Any, **extra: Any) -> _SqlParams:  # type: ignore[override]  # the stubs know no holes
        quote = connection.ops.quote_name
        own = [compiler.compile(expression)[0] for expression in self.get_source_expressions()]
        condition = f"cursor_row.{quote('public_id')} = %s"
        if self.scope:
            condition += f" AND cursor_row.{quote(self.scope)} = {own.pop()}"
        left = ", ".join(dict.fromkeys(own))
        right = ", ".join(f"cursor_row.{quote(column)}" for column in self.columns)
        cursor = f"SELECT {right} FROM {quote(self.table)} cursor_row WHERE {condition}"
        return f"({left}) {self.operator} ({cursor})", [_Hole(self.slot)]


def column_of(model: type[Model], name: str) -> str:
    """The database column of a field."""
    field: Any = model._meta.get_field(name)
    return str(field.column)


@dataclass(frozen=True, slots=True)
class Statement:
    """Compiled text and its parameters, some of them holes."""

    sql: str
    params: tuple[Any, ...]

    def rows(self, **values: object) -> list[Row]:
        """Run it with the named values and fetch every row."""
        return query(self.sql, self._fill(values))

    def row(self, **values: object) -> Row | None:
        """Run it with the named values and fetch the first row."""
        found = query(self.sql, self._fill(values))
        return found[0] if found else None

    def _fill(self, values: Mapping[str, object]) -> list[Any]:
        return [values[param.name] if isinstance(param, _Hole) else param for param in self.params]


def compiled(queryset: "QuerySet[Any, Any]", *, limited: bool = False) -> Statement:
    """The text of a queryset; with `limited` it takes one more value, `limit`."""
    sql, params = with_constants(*queryset.query.get_compiler(using=queryset.db).as_sql())
    if limited:
        return Statement(f"{sql} LIMIT %s", (*params, _Hole("limit")))
    return Statement(sql, tuple(params))


PLACE = re.compile(r"%[%s]")
PLAIN_TEXT = re.compile(r"[A-Za-z0-9_.: -]*")


def with_constants(sql: str, params: Sequence[Any]) -> tuple[str, tuple[Any, ...]]:
    """The text with plain constants written into it, and the parameters that are left.

    SQLite plans a statement anew on every run when a condition that a partial index could answer compares
    with a parameter; with the constant in the text it is planned once.
    """
    waiting = iter(params)
    left: list[Any] = []

    def write(place: re.Match[str]) -> str:
        if place.group() == "%%":
            return "%%"
        value = next(waiting)
        if isinstance(value, str) and PLAIN_TEXT.fullmatch(value):
            return f"'{str.__str__(value)}'"
        left.append(value)
        return "%s"

    return PLACE.sub(write, sql), tuple(left)


def kept(build: Callable[..., Statement]) -> Callable[..., Statement]:
    """Keep what `build` returns for each combination of arguments and each kind of database."""
    remember = lru_cache(maxsize=512)(lambda _vendor, *shape, **named: build(*shape, **named))

    def statement(*shape: Hashable, **named: Hashable) -> Statement:
        return remember(connection.vendor, *shape, **named)

    return statement


def query(sql: str, params: Sequence[Any]) -> list[Row]:
    """Run hand-written text and fetch what it returns; for text that returns nothing that is no row.

    On SQLite Django's cursor costs five times what a small statement does. Unless somebody watches the
    statements, they go past it, with the same errors and in the same transactions.
    """
    database = connections[DEFAULT_DB_ALIAS]
    if database.vendor == "sqlite" and not (database.queries_logged or database.execute_wrappers):
        database.ensure_connection()
        database.validate_no_broken_transaction()
        with database.wrap_database_errors:
            rows: list[Row] = database.connection.execute(_question_marks(sql), params).fetchall()
            return rows
    with database.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall() if cursor.description else []


@lru_cache(maxsize=1024)
def _question_marks(sql: str) -> str:
    return PLACE.sub(lambda place: "?" if place.group() == "%s" else "%", sql)


INSERT_ROWS = 400


def insert(model: type[Model], columns: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows whose values are in the database's own form, a few hundred with one statement."""
    vendor = connection.vendor
    for start in range(0, len(rows), INSERT_ROWS):
        part = rows[start : start + INSERT_ROWS]
        query(_insert_text(vendor, model, columns, len(part)), [value for row in part for value in row])


@lru_cache(maxsize=2048)
def _insert_text(vendor: str, model: type[Model], columns: tuple[str, ...], size: int) -> str:
    quote = connection.ops.quote_name
    row = ", ".join(["%s"] * len(columns))
    names = ", ".join(quote(column) for column in columns)
    values = ", ".join([f"({row})"] * size)
    return f"INSERT INTO {quote(model._meta.db_table)} ({names}) VALUES {values}"
