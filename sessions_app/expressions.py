"""Database functions that queries use, spelled for SQLite and for PostgreSQL."""

from typing import Any

from django.db.models import BigIntegerField, BooleanField, Expression, F, Func, TextField
from django.db.models.functions import Lower
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


class Contains(Func):
    """True when the first text holds the second, letter case aside; nothing in the second is a wildcard."""

    output_field = BooleanField()
    conditional = True

    def as_sqlite(self, compiler: SQLCompiler, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="INSTR(%(expressions)s) > 0", arg_joiner=", ")

    def as_postgresql(self, compiler: SQLCompiler, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="STRPOS(%(expressions)s) > 0", arg_joiner=", ")

    def __init__(self, *texts: Expression | F) -> None:
        super().__init__(*(Lower(text) for text in texts))


class SpokenText(Func):
    """What an item says, from its stored JSON: message text, tool arguments, tool output."""

    output_field = TextField()

    def as_sqlite(self, compiler: SQLCompiler, connection: Any, **extra: Any) -> Any:
        template = (
            "(SELECT GROUP_CONCAT(part.value, CHAR(10)) FROM json_tree(%(expressions)s) part"
            " WHERE part.type = 'text' AND part.key IN ('text', 'arguments', 'output'))"
        )
        return self.as_sql(compiler, connection, template=template)

    def as_postgresql(self, compiler: SQLCompiler, connection: Any, **extra: Any) -> Any:
        # Strict and silent: lax paths would find what lies in arrays twice.
        paths = " UNION ALL ".join(
            f"SELECT jsonb_path_query((%(expressions)s)::jsonb, 'strict $.**.{key}', '{{}}', true)"
            for key in ("text", "arguments", "output")
        )
        template = (
            f"(SELECT STRING_AGG(part #>> '{{}}', E'\\n') FROM ({paths}) spoken(part)"
            " WHERE jsonb_typeof(part) = 'string')"
        )
        return self.as_sql(compiler, connection, template=template)
