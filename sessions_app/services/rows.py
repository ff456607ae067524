"""Session rows in bulk: locked together with what a change needs to know, written back in one statement."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from django.db import connection
from django.db.models import Exists, F, Func, OuterRef, QuerySet, Subquery, TextField
from django.db.models.sql.compiler import SQLCompiler

from agents_app.models import Agent
from sessions_app.models import (
    Elicitation,
    ElicitationStatus,
    Outbox,
    OutboxKind,
    Session,
    Turn,
    TurnStatus,
)
from sessions_app.statements import query, with_constants

LARGEST = 512
AGENT_FIELDS = ("id", "public_id", "name", "harness")
BESIDE = ("running_turn_id", "running_response_id", "has_input", "has_new_input")


class ById(Func):
    """The JSON text of an object from the key to another column of all rows; empty or null for none."""

    output_field = TextField()

    def as_sqlite(self, compiler: SQLCompiler, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="json_group_object(%(expressions)s)")

    def as_postgresql(self, compiler: SQLCompiler, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="json_object_agg(%(expressions)s)::text")


@dataclass(frozen=True, slots=True)
class LockText:
    """The compiled query for some number of ids; negative numbers among its parameters are their places."""

    sql: str
    params: tuple[Any, ...]
    converters: tuple[tuple[int, tuple[Any, ...], Any], ...]
    fields: tuple[str, ...]
    places: dict[str, int]


def lock(session_ids: Iterable[int]) -> list[Session]:
    """The rows with their agents, locked in id order until the transaction ends, without missing ones."""
    wanted = sorted(set(session_ids))
    found: list[Session] = []
    for start in range(0, len(wanted), LARGEST):
        found += _lock(wanted[start : start + LARGEST])
    return found


def _lock(ids: Sequence[int]) -> list[Session]:
    size = 1 << (len(ids) - 1).bit_length()
    text = _lock_text(connection.vendor, size)
    padded = [*ids, *[ids[-1]] * (size - len(ids))]
    params = [padded[-value - 1] if isinstance(value, int) and value < 0 else value for value in text.params]
    return [_session(text, list(row)) for row in query(text.sql, params)]


def _session(text: LockText, row: list[Any]) -> Session:
    for place, functions, expression in text.converters:
        for function in functions:
            row[place] = function(row[place], expression, connection)
    session = Session.from_db(connection.alias, text.fields, row[: len(text.fields)])
    for name in BESIDE:
        setattr(session, name, row[text.places[name]])
    asked = orjson.loads(row[text.places["asked"]] or "{}")
    session.questions = {int(pk): asked[pk] for pk in sorted(asked, key=int)}
    if session.agent_id is not None:
        values = [row[text.places[f"agent_{name}_"]] for name in AGENT_FIELDS]
        session.agent = Agent.from_db(connection.alias, AGENT_FIELDS, values)
    return session


@lru_cache(maxsize=64)
def _lock_text(vendor: str, size: int) -> LockText:
    query = _locked(list(range(-1, -size - 1, -1))).query
    compiler = query.get_compiler(using=connection.alias)
    sql, params = with_constants(*compiler.as_sql())
    converters = compiler.get_converters([column[0] for column in compiler.select])
    return LockText(
        sql=sql,
        params=params,
        converters=tuple(
            (place, tuple(functions), expression) for place, (functions, expression) in converters.items()
        ),
        fields=tuple(field.attname for field in Session._meta.concrete_fields),
        places=dict(compiler.annotation_col_map or {}),
    )


def _locked(ids: list[int]) -> "QuerySet[Session]":
    running = Turn.objects.filter(session=OuterRef("pk"), status=TurnStatus.RUNNING)
    waiting = Outbox.objects.filter(session=OuterRef("pk"), kind=OutboxKind.MESSAGE)
    asked = Elicitation.objects.filter(session=OuterRef("pk"), status=ElicitationStatus.PENDING)
    rows: QuerySet[Session] = (
        Session.objects.select_for_update(of=("self",))
        .filter(pk__in=ids)
        .annotate(
            running_turn_id=Subquery(running.values("pk")[:1]),
            running_response_id=Subquery(running.values("response_id")[:1]),
            has_input=Exists(waiting),
            has_new_input=Exists(waiting.filter(claimed_by="")),
            asked=Subquery(asked.values(by_id=ById("pk", "public_id"))),
            **{f"agent_{name}_": F(f"agent__{name}") for name in AGENT_FIELDS},
        )
        .order_by("pk")
    )
    return rows


def write(sessions: Sequence[Session], fields: Sequence[str]) -> None:
    """Write the named fields of all rows in one statement."""
    columns: list[Any] = [Session._meta.get_field(name) for name in ("id", *fields)]
    params = [
        column.get_db_prep_save(getattr(session, column.attname), connection)
        for session in sessions
        for column in columns
    ]
    query(_write_text(connection.vendor, tuple(fields), len(sessions)), params)


@lru_cache(maxsize=512)
def _write_text(vendor: str, fields: tuple[str, ...], size: int) -> str:
    columns: list[Any] = [Session._meta.get_field(name) for name in ("id", *fields)]
    typed = vendor == "postgresql"
    first = ", ".join(f"%s::{_plain_type(column)}" if typed else "%s" for column in columns)
    rest = ", ".join(["%s"] * len(columns))
    rows = ", ".join([f"({first})", *[f"({rest})"] * (size - 1)])
    names = ", ".join(column.column for column in columns)
    sets = ", ".join(f"{column.column} = v.{column.column}" for column in columns[1:])
    table = Session._meta.db_table
    return f"WITH v({names}) AS (VALUES {rows}) UPDATE {table} SET {sets} FROM v WHERE {table}.id = v.id"


def _plain_type(column: Any) -> str:
    """PostgreSQL's name of the column's type, without a length: a cast to one would cut the value."""
    return str(column.db_type(connection)).partition("(")[0].replace("varchar", "text")
