"""Database functions that queries use, spelled for SQLite and for PostgreSQL."""

from typing import Any

from django.db.models import BigIntegerField, BooleanField, Expression, F, Func, TextField
from django.db.models.sql.compiler import SQLCompiler


class Epoch(Func):
    """Whole seconds since 1970 of a timestamp, computed by the database."""

    output_field = BigIntegerField()

    def as_sqlite(self, compiler: SQLCompiler, connection: Any, **extra: Any) -> Any:
        return self.as_sql(
            compiler, connection, template="CAST(strftime('%%%%s', %(expressions)s) AS INTEGER)"
        )

    def as_postgresql(self, compiler: SQLCompiler, connection: Any, **extra: Any) -> Any:
        return self.as_sql(
            compiler, connection, template="FLOOR(EXTRACT(EPOCH FROM %(expressions)s))::bigint"
        )


class JsonText(Func):
    """A JSON column as its text, so that it can be spliced into an answer."""

    output_field = TextField()

    def as_sqlite(self, compiler: SQLCompiler, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="%(expressions)s")

    def as_postgresql(self, compiler: SQLCompiler, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="(%(expressions)s)::text")


class PairsAsJson(Func):
    """An aggregate: two text columns as the text of one JSON object."""

    output_field = TextField()
    contains_aggregate = True

    def as_sqlite(self, compiler: SQLCompiler, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="json_group_object(%(expressions)s)")

    def as_postgresql(self, compiler: SQLCompiler, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="json_object_agg(%(expressions)s)::text")

    def get_group_by_cols(self) -> list[Any]:
        return []


class Holds(Func):
    """True when the first text holds the second, to the letter."""

    output_field = BooleanField()
    conditional = True

    def as_sqlite(self, compiler: SQLCompiler, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="INSTR(%(expressions)s) > 0", arg_joiner=", ")

    def as_postgresql(self, compiler: SQLCompiler, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="STRPOS(%(expressions)s) > 0", arg_joiner=", ")


class Among(Func):
    """True for rows whose column is in a list that is one parameter, however long it is.

    On SQLite it is the text of a JSON array, on PostgreSQL that of an array.
    """

    output_field = BooleanField()
    conditional = True

    def __init__(self, column: Expression | F, values: Expression, *, type_: str) -> None:
        super().__init__(column, values)
        self.extra["type"] = type_

    def as_sqlite(self, compiler: SQLCompiler, connection: Any, **extra: Any) -> Any:
        return self.as_sql(
            compiler,
            connection,
            template="%(expressions)s))",
            arg_joiner=" IN (SELECT value FROM json_each(",
        )

    def as_postgresql(self, compiler: SQLCompiler, connection: Any, **extra: Any) -> Any:
        return self.as_sql(
            compiler, connection, template="%(expressions)s::%(type)s[])", arg_joiner=" = ANY("
        )
