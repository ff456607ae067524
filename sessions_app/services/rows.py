"""Session rows in bulk: locked together with what a change needs to know, written back in one statement."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from django.db import connection
from django.db.models import BooleanField, Exists, F, Func, OuterRef, QuerySet, Subquery, TextField, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Concat
from django.db.models.sql.compiler import SQLCompiler

from agents_app.models import Agent
from sessions_app.models import (
    Elicitation,
    ElicitationStatus,
    Outbox,
    OutboxKind,
    PendingInput,
    Session,
    Turn,
    TurnStatus,
)
from sessions_app.statements import query, with_constants

LISTED = frozenset(
    {
        *("title", "project_id", "status", "archived", "runner_id", "host_id", "workspace", "git_branch"),
        *("reasoning_effort", "external_session_id", "updated_at"),
    }
)
"""What lists show of a session; labels move `updated_at`."""

LARGEST = 512
PLAIN, RISING = -1, -2
AGENT_FIELDS = ("id", "public_id", "name", "harness", "deleted_at")
BESIDE = (
    *("running_turn_id", "running_response_id", "has_input", "has_new_input", "has_pending_input"),
    "awaits_children",
)

MUTABLE = (
    "title",
    "folded_title",
    "auto_title",
    "project_id",
    "status",
    "active_response_id",
    "last_task_error",
    "interrupt_fence",
    "runner_id",
    "host_id",
    "workspace",
    "git_branch",
    "reasoning_effort",
    "model_override",
    "harness_override",
    "external_session_id",
    "terminal_launch_args",
    "share_workspace_files",
    "archived",
    "reported_model",
    "context_tokens",
    "context_window",
    "usage_by_model",
    "usage_below",
    "is_usage_due",
    "accounted_cost_usd",
    "policy_cost_usd",
    "policy_cost_below_usd",
    "budget_due_at",
    "dispatch_position",
    "todos",
    "background",
    "compacting_until",
    "relay_generation",
    "seq",
    "open_seq",
    "position",
    "ingest_stream",
    "ingest_number",
    "updated_at",
)
"""What a change may write; each has its place in `values`."""


class ById(Func):
    """The JSON text of an object from the key to another column of all rows; empty or null for none."""

    output_field = TextField()

    def as_sqlite(self, compiler: SQLCompiler, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="json_group_object(%(expressions)s)")

    def as_postgresql(self, compiler: SQLCompiler, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="json_object_agg(%(expressions)s)::text")


@dataclass(frozen=True, slots=True)
class LockText:
    """The compiled query for some number of ids, whose places PLAIN and RISING hold among its parameters.

    On PostgreSQL `hold` takes the locks first: a statement that had to wait for a row sees the new version of
    that row, but the other tables as they were when it began.
    """

    sql: str
    params: tuple[Any, ...]
    hold: str
    hold_params: tuple[Any, ...]
    converters: tuple[tuple[int, tuple[Any, ...], Any], ...]
    fields: tuple[str, ...]
    places: dict[str, int]


def lock(session_ids: Iterable[int], rising: Collection[int] = ()) -> list[Session]:
    """The rows with their agents, locked in id order until the transaction ends, without missing ones.

    Those of `rising` bring along all sessions above them.
    """
    plain = set(session_ids).difference(rising)
    if rising and len(plain) + len(rising) > LARGEST:
        plain, rising = plain.union(_above(rising)), ()
    if rising:
        return _lock(sorted(plain), sorted(set(rising)))
    wanted = sorted(plain)
    found: list[Session] = []
    for start in range(0, len(wanted), LARGEST):
        found += _lock(wanted[start : start + LARGEST], [])
    return found


_ABOVE = """
WITH RECURSIVE up(id, parent_id) AS (
  SELECT id, parent_id FROM {table} WHERE id IN ({marks})
  UNION
  SELECT above.id, above.parent_id FROM {table} above JOIN up ON above.id = up.parent_id
)
SELECT id FROM up
"""


def _above(session_ids: Collection[int]) -> list[int]:
    marks = ", ".join(["%s"] * len(session_ids))
    text = _ABOVE.format(table=Session._meta.db_table, marks=marks)
    return [pk for (pk,) in query(text, sorted(session_ids))]


def _lock(plain: Sequence[int], rising: Sequence[int]) -> list[Session]:
    text = _lock_text(connection.vendor, _padded(len(plain)), _padded(len(rising)))
    if text.hold:
        query(text.hold, _params(text.hold_params, plain, rising))
    return [_session(text, list(row)) for row in query(text.sql, _params(text.params, plain, rising))]


def _params(holes: Sequence[Any], plain: Sequence[int], rising: Sequence[int]) -> list[Any]:
    values = {PLAIN: iter(_filled(plain)), RISING: iter(_filled(rising))}
    return [next(values[hole]) if hole in values else hole for hole in holes]


def _padded(size: int) -> int:
    """The next power of two, so that few texts are compiled."""
    return 1 << (size - 1).bit_length() if size else 0


def _filled(ids: Sequence[int]) -> list[int]:
    return [*ids, *[ids[-1]] * (_padded(len(ids)) - len(ids))] if ids else []


def _session(text: LockText, row: list[Any]) -> Session:
    for place, functions, expression in text.converters:
        for function in functions:
            row[place] = function(row[place], expression, connection)
    session = Session.from_db(connection.alias, text.fields, row[: len(text.fields)])
    for name in BESIDE:
        setattr(session, name, row[text.places[name]])
    asked = orjson.loads(row[text.places["asked"]] or "{}")
    parts = {int(pk): asked[pk].partition(":") for pk in sorted(asked, key=int)}
    session.questions = {pk: public_id for pk, (_, _, public_id) in parts.items()}
    session.held_questions = {pk: kind for pk, (kind, _, _) in parts.items() if kind}
    if session.agent_id is not None:
        values = [row[text.places[f"agent_{name}_"]] for name in AGENT_FIELDS]
        session.agent = Agent.from_db(connection.alias, AGENT_FIELDS, values)
    return session


@lru_cache(maxsize=128)
def _lock_text(vendor: str, plain: int, rising: int) -> LockText:
    wanted = _wanted(vendor, plain, rising)
    compiler = _locked(wanted).query.get_compiler(using=connection.alias)
    sql, params = with_constants(*compiler.as_sql())
    hold, hold_params = "", ()
    if vendor == "postgresql":
        bare = _bare(wanted).values_list("pk").query.get_compiler(using=connection.alias)
        hold, hold_params = with_constants(*bare.as_sql())
    converters = compiler.get_converters([column[0] for column in compiler.select])
    return LockText(
        sql=sql,
        params=params,
        hold=hold,
        hold_params=hold_params,
        converters=tuple(
            (place, tuple(functions), expression) for place, (functions, expression) in converters.items()
        ),
        fields=tuple(field.attname for field in Session._meta.concrete_fields),
        places=dict(compiler.annotation_col_map or {}),
    )


def _wanted(vendor: str, plain: int, rising: int) -> RawSQL:
    """For the rows to lock. On PostgreSQL an array keeps the planner at the index whatever it guesses."""
    column, holes = f"{Session._meta.db_table}.id", ", ".join(["%s"] * plain)
    params = [RISING] * rising + [PLAIN] * plain
    if not rising:
        return RawSQL(f"{column} IN ({holes})", params, output_field=BooleanField())
    found = _ABOVE.format(table=Session._meta.db_table, marks=", ".join(["%s"] * rising))
    if plain:
        found += f"UNION SELECT id FROM {Session._meta.db_table} WHERE id IN ({holes})"
    among = f"= ANY(ARRAY({found}))" if vendor == "postgresql" else f"IN ({found})"
    return RawSQL(f"{column} {among}", params, output_field=BooleanField())


def _locked(wanted: RawSQL) -> "QuerySet[Session]":
    running = Turn.objects.filter(session=OuterRef("pk"), status=TurnStatus.RUNNING)
    waiting = Outbox.objects.filter(session=OuterRef("pk"), kind=OutboxKind.MESSAGE)
    asked = Elicitation.objects.filter(session=OuterRef("pk"), status=ElicitationStatus.PENDING)
    below = Session.objects.filter(parent=OuterRef("pk"), dispatch_position__isnull=False)
    rows: QuerySet[Session] = _bare(wanted).annotate(
        running_turn_id=Subquery(running.values("pk")[:1]),
        running_response_id=Subquery(running.values("response_id")[:1]),
        has_input=Exists(waiting),
        has_new_input=Exists(waiting.filter(claimed_by="")),
        has_pending_input=Exists(PendingInput.objects.filter(session=OuterRef("pk"))),
        awaits_children=Exists(below),
        asked=Subquery(asked.values(by_id=ById("pk", Concat("held_kind", Value(":"), "public_id")))),
        **{f"agent_{name}_": F(f"agent__{name}") for name in AGENT_FIELDS},
    )
    return rows


def _bare(wanted: RawSQL) -> Any:  # a queryset that annotations may be added to under the names of attributes
    return Session.objects.select_for_update(of=("self",)).filter(wanted).order_by("pk")


def values(session: Session) -> tuple[Any, ...]:
    """The row's MUTABLE columns."""
    return tuple([getattr(session, name) for name in MUTABLE])


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
