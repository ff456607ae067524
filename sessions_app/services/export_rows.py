"""The lines of an export, and its rows for whoever writes them differently, chunk by chunk."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.db.models import Q
from django.db.models.functions import Length

from omnigent.ids import ITEM
from policies_app.services import carried
from policies_app.services.carried import Carried
from sessions_app.models import Comment, Item, SessionPolicy
from sessions_app.portable import layout, references
from sessions_app.services import access, policy_rows
from sessions_app.services.exporting import Columns, Plan, PlannedSession, slices

ITEM_COLUMNS = (
    "session_id",
    "position",
    "type",
    "status",
    "response_id",
    "data",
    "null_fields",
    "created_at",
    "created_by",
)
COMMENT_COLUMNS = (
    "session_id",
    "path",
    "start_index",
    "end_index",
    "body",
    "status",
    "anchor_content",
    "created_at",
    "updated_at",
    "created_by",
)
COMMENT_ROWS = 200
POLICY_ROWS = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """Items of one session, from `first` to `last`."""

    session: PlannedSession
    first: int
    last: int


class Export:
    """The lines of a planned export; every step of an iterator is a few statements.

    `unfit` counts the decisions that were left out because their rows are not as they were logged.
    """

    def __init__(self, plan: Plan) -> None:
        self.unfit = 0
        self._plan = plan
        self._by_pk = {session.pk: session for session in plan.sessions}
        self._agent_names = {row["agent_id"]: f"a{at}" for at, row in enumerate(plan.agents, start=1)}
        self._names = {
            **{session.columns["public_id"]: f"s{session.number}" for session in plan.sessions},
            **{row["public_id"]: f"f{at}" for at, row in enumerate(plan.files, start=1)},
        }

    def chunks(self) -> Iterator[tuple[str, str]]:
        """Every member that holds lines, in order: its kind and its text."""
        for kind, lines in (
            (layout.AGENTS, self._agents()),
            (layout.SESSIONS, self._sessions()),
            (layout.FILES, self._files()),
        ):
            for text in layout.chunks(lines):
                yield kind, self._referring(text)
        for rows in self.item_rows():
            yield layout.ITEMS, self._referring("".join(map(self._item, rows)))
        for comments in self.comment_rows():
            yield layout.COMMENTS, self._referring("".join(map(self._comment, comments)))
        for text in layout.chunks(map(self._policy, itertools.count(1), self._policy_rows())):
            yield layout.POLICIES, self._referring(text)
        for text in layout.chunks(self._decisions()):
            # They stay to the letter, whatever ids are in them: hashes have been made of them.
            yield layout.DECISIONS, references.outward(text, {})

    def session_of(self, pk: int) -> PlannedSession:
        """The session with this key."""
        return self._by_pk[pk]

    def item_rows(self) -> Iterator[list[Columns]]:
        """All items in the order of their sessions, as many together as a member holds."""
        at = 0
        while at < self._plan.item_count:
            wanted = self._ranges(at, layout.CHUNK_ROWS)
            sizes = self._read(wanted, Item.objects.annotate(size=Length("data")), "size")
            count = total = 0
            while count < len(sizes) and total < layout.CHUNK_CHARACTERS:
                total += sizes[count]["size"]
                count += 1
            yield self._read(self._ranges(at, count), Item.objects, *ITEM_COLUMNS)
            at += count

    def _ranges(self, start: int, count: int) -> list[Range]:
        """The places of so many items after the first `start` ones of the export."""
        found: list[Range] = []
        end = start + count
        for session in self._plan.sessions:
            first, last = max(start - session.before, 0) + 1, min(end - session.before, session.items)
            if first <= last:
                found.append(Range(session=session, first=first, last=last))
        return found

    def _read(self, wanted: Sequence[Range], source: Any, *columns: str) -> list[Columns]:  # a manager
        """The columns of these items. Raises 404 when some are gone: the session was deleted."""
        places = Q()
        whole = [one.session.pk for one in wanted if one.first == 1]
        for one in wanted:
            if one.first > 1 or len(whole) == 1:
                places |= Q(session=one.session.pk, position__range=(one.first, one.last))
        if len(whole) > 1:
            places |= Q(session__in=whole, position__lte=max(one.last for one in wanted))
        rows = source.filter(places).order_by().values("session_id", "position", *columns)
        last = {one.session.pk: one.last for one in wanted}
        found = [row for row in rows if row["position"] <= last[row["session_id"]]]
        if len(found) != sum(one.last - one.first + 1 for one in wanted):
            raise access.not_found()
        return sorted(found, key=lambda row: (self._by_pk[row["session_id"]].number, row["position"]))

    def comment_rows(self) -> Iterator[list[Columns]]:
        """All comments in the order of their sessions, some at a time."""
        for pks in self._together(self._plan.comments, COMMENT_ROWS):
            rows = Comment.objects.filter(session__in=pks).order_by("session_id", "pk")
            for start in range(0, sum(self._plan.comments[pk] for pk in pks), COMMENT_ROWS):
                found = list(rows.values(*COMMENT_COLUMNS)[start : start + COMMENT_ROWS])
                if found:
                    yield sorted(found, key=lambda row: self._by_pk[row["session_id"]].number)

    def _policy_rows(self) -> Iterator[SessionPolicy]:
        """All policies in the order of their sessions. The first one keeps what it has of its own root."""
        first, *others = self._plan.sessions
        yield from policy_rows.binding(first.pk)
        counts = {one.pk: self._plan.policies[one.pk] for one in others if one.pk in self._plan.policies}
        for pks in self._together(counts, POLICY_ROWS):
            rows = SessionPolicy.objects.filter(session__in=pks).order_by("created_at", "pk")
            yield from sorted(rows, key=lambda row: self._by_pk[row.session_id].number)

    def _together(self, counts: Mapping[int, int], most: int) -> Iterator[list[int]]:
        """Sessions that have such rows, with at most so many together, or one with more."""
        together: list[int] = []
        total = 0
        for session in self._plan.sessions:
            number = counts.get(session.pk, 0)
            if together and total + number > most:
                yield together
                together, total = [], 0
            if number:
                together.append(session.pk)
                total += number
        if together:
            yield together

    def _referring(self, text: str) -> str:
        """The text with ids of this export's own replaced by their names."""
        known = {found for found in references.ID.findall(text) if found.startswith(f"{ITEM}_")}
        return references.outward(text, {**self._names, **self._items_among(sorted(known))})

    def _items_among(self, public_ids: Sequence[str]) -> dict[str, str]:
        names: dict[str, str] = {}
        for part in slices(public_ids):
            rows = Item.objects.filter(public_id__in=part).values_list("public_id", "session_id", "position")
            for public_id, pk, position in rows:
                session = self._by_pk.get(pk)
                if session is not None and position <= session.items:
                    names[public_id] = f"i{session.before + position}"
        return names

    def _agents(self) -> Iterator[str]:
        for row in self._plan.agents:
            bundle = self._plan.bundles.get(row["agent_id"])
            is_there = bundle is not None and bundle.size is not None
            yield layout.line(
                {
                    "id": self._agent_names[row["agent_id"]],
                    "name": row["agent__name"],
                    "digest": row["agent__digest"],
                    "builtin_id": row["agent__public_id"] if bundle is None else None,
                    "bundle": layout.bundle_member(row["agent__digest"]) if is_there else None,
                }
            )

    def _sessions(self) -> Iterator[str]:
        for session in self._plan.sessions:
            row = session.columns
            parent = self._by_pk.get(row["parent_id"])
            yield layout.line(
                {
                    "id": f"s{session.number}",
                    "parent": None if session.number == 1 or parent is None else f"s{parent.number}",
                    "agent": self._agent_names.get(row["agent_id"]),
                    "labels": session.labels,
                    "settings": _picked(row, SETTINGS),
                    "usage": {"by_model": row["usage_by_model"], **_picked(row, USAGE)},
                    "items": session.items,
                    **_picked(row, ("sub_agent_name", "title", "auto_title")),
                    "archived": bool(row["archived"]),
                    **_times(row, "created_at", "updated_at"),
                }
            )

    def _files(self) -> Iterator[str]:
        for at, row in enumerate(self._plan.files, start=1):
            yield layout.line(
                {
                    "id": f"f{at}",
                    "session": f"s{self._by_pk[row['session_id']].number}",
                    "bytes": row["blob__size"],
                    "sha256": row["blob_id"],
                    **_picked(row, ("filename", "content_type", "created_by")),
                    **_times(row, "created_at"),
                }
            )

    def _item(self, row: Columns) -> str:
        session = self._by_pk[row["session_id"]]
        nulls = "".join(f',"{name}":null' for name in row["null_fields"].split(",") if name)
        payload = f"{row['data'][1:-1]}{nulls}".lstrip(",")
        head = {
            "id": f"i{session.before + row['position']}",
            "session": f"s{session.number}",
            **_picked(row, ("position", "type", "status", "response_id", "created_by")),
            **_times(row, "created_at"),
        }
        return layout.line({**head, "data": orjson.Fragment(f"{{{payload}}}")})

    def _comment(self, row: Columns) -> str:
        session = self._by_pk[row["session_id"]]
        plain = [name for name in COMMENT_COLUMNS if name not in ("session_id", "created_at", "updated_at")]
        times = _times(row, "created_at", "updated_at")
        return layout.line({"session": f"s{session.number}", **_picked(row, plain), **times})

    def _policy(self, number: int, row: SessionPolicy) -> str:
        # What a sub-agent has of its root is its own here.
        session = self._by_pk.get(row.session_id, self._plan.sessions[0])
        return layout.line(
            {
                "id": f"p{number}",
                "session": f"s{session.number}",
                **{name: getattr(row, name) for name in policy_rows.KEPT},
                "created_at": layout.stamp(row.created_at),
                "updated_at": None if row.updated_at is None else layout.stamp(row.updated_at),
            }
        )

    def _decisions(self) -> Iterator[str]:
        if self._plan.decisions is None:
            return
        numbers = {session.columns["public_id"]: session.number for session in self._plan.sessions}
        count = 0
        for one in carried.read(self._plan.decisions, numbers.keys()):
            if one.is_whole:
                count += 1
                yield _decision(count, numbers[one.session_id], one)
            else:
                self.unfit += 1


def _decision(count: int, session: int, one: Carried) -> str:
    row = orjson.Fragment(one.text)
    return layout.line({"id": f"d{count}", "session": f"s{session}", "origin": one.origin, "decision": row})


SETTINGS = ("reasoning_effort", "model_override", "harness_override", "terminal_launch_args")
USAGE = ("context_tokens", "context_window", "policy_cost_usd", "reported_model")


def _picked(row: Columns, names: Sequence[str]) -> Mapping[str, Any]:
    return {name: row[name] for name in names}


def _times(row: Columns, *names: str) -> Mapping[str, str]:
    return {name: layout.stamp(row[name]) for name in names}
