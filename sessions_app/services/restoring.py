"""Storing a checked archive: the rows of all its sessions, in one transaction."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import orjson
from django.db import connection

from agents_app.services import uploaded
from omnigent.accounts.identity import Principal
from omnigent.spec import InvalidAgentError
from policies_app.services import carried
from policies_app.services.carried import Carried
from sessions_app import buckets
from sessions_app.models import Comment, File, Grant, Item, Kind, Session, SessionLabel, SessionPolicy
from sessions_app.portable.documents import SessionLine
from sessions_app.services import agent_rules, blobs, policy_rows, receipts, rules
from sessions_app.services.access import Level
from sessions_app.services.importing import Bindings, Restoring, bind, report
from sessions_app.services.item_forms import ITEM_COLUMNS
from sessions_app.services.receipts import Answer, Claim
from sessions_app.statements import insert

ROWS = 400
DECISION_ROWS = 100
"""These may be large."""


def restore(principal: Principal, restoring: Restoring, claimed: Claim | None) -> Answer:
    """Store everything or nothing; 201 with the report. Raises BlobLost when stored bytes went away."""

    def work() -> Answer:
        bindings = bind(principal, restoring)
        _Restore(principal, restoring, bindings).run()
        return Answer(201, orjson.dumps(report(restoring.checked, bindings, is_stored=True)))

    return receipts.once(claimed, work)


class _Restore:
    """The rows of one import, inside its transaction; `_pks` are the keys of the sessions in their order."""

    def __init__(self, principal: Principal, restoring: Restoring, bindings: Bindings) -> None:
        self._owner = principal.user_id
        self._checked = restoring.checked
        self._read_bundle = restoring.read_bundle
        self._bindings = bindings
        self._pks: list[int] = []

    def run(self) -> None:
        self._add_sessions()
        Grant.objects.create(session_id=self._pks[0], user_id=self._owner, level=Level.OWNER)
        self._add_labels()
        self._add_items()
        self._add_files()
        self._add_comments()
        self._add_policies()
        self._add_decisions()
        # Bundles are stored without a transaction, so they come when nothing else can fail any more.
        self._add_agents()

    def _add_sessions(self) -> None:
        """Level by level: a session's parent has its key by then."""
        lines = self._checked.sessions
        below = _usage_below(lines)
        for start, end in _levels(lines):
            rows = [self._session(at, below[at]) for at in range(start, end)]
            self._pks += [row.pk for row in Session.objects.bulk_create(rows, batch_size=ROWS)]

    def _session(self, at: int, below: buckets.Buckets) -> Session:
        line = self._checked.sessions[at]
        usage = line.usage
        session = Session(
            public_id=self._checked.ids.id_of("s", at + 1),
            agent=self._bindings.agents.get(line.agent or ""),
            sub_agent_name=line.sub_agent_name,
            title=line.title,
            auto_title=line.auto_title,
            archived=line.archived,
            created_by=self._owner,
            created_at=line.created_at,
            updated_at=line.updated_at,
            **line.settings.model_dump(),
            usage_by_model=usage.by_model,
            usage_below=below or None,
            # It was spent elsewhere, and is nobody's cost of today.
            accounted_cost_usd=buckets.cost_of(usage.by_model),
            policy_cost_usd=usage.policy_cost_usd,
            context_tokens=usage.context_tokens,
            context_window=usage.context_window,
            reported_model=usage.reported_model,
            position=line.items,
        )
        if line.parent is not None:
            session.kind = Kind.SUB_AGENT
            session.parent_id = self._pks[int(line.parent[1:]) - 1]
            session.root_id = self._pks[0]
        return session

    def _add_labels(self) -> None:
        rows = [
            SessionLabel(session_id=pk, key=key, value=value)
            for pk, line in zip(self._pks, self._checked.sessions, strict=True)
            for key, value in line.labels.items()
        ]
        SessionLabel.objects.bulk_create(rows, batch_size=ROWS)

    def _add_items(self) -> None:
        stamp = connection.ops.adapt_datetimefield_value
        for batch in self._checked.items.batches(ROWS):
            rows = [
                (self._pks[number - 1], *head, stamp(datetime.fromisoformat(made)), author, None)
                for number, *head, made, author in batch
            ]
            insert(Item, ITEM_COLUMNS, rows)

    def _add_files(self) -> None:
        files = [line for line in self._checked.files if line.id not in self._checked.lost]
        for digest, size in sorted({line.sha256: line.bytes for line in files}.items()):
            blobs.hold(digest=digest, size=size)
        rows = [
            File(
                session_id=self._pks[int(line.session[1:]) - 1],
                public_id=self._checked.ids.id_of("f", int(line.id[1:])),
                blob_id=line.sha256,
                **line.model_dump(include={"filename", "content_type", "created_at", "created_by"}),
            )
            for line in files
        ]
        File.objects.bulk_create(rows, batch_size=ROWS)

    def _add_comments(self) -> None:
        for batch in self._checked.comments.batches(ROWS):
            rows = []
            for number, values in batch:
                del values["session"]
                for name in ("created_at", "updated_at"):
                    values[name] = datetime.fromisoformat(values[name])
                rows.append(Comment(session_id=self._pks[number - 1], **values))
            Comment.objects.bulk_create(rows)

    def _add_policies(self) -> None:
        """As they were, their history begins anew; the order within a session is that of the archive."""
        ids = {pk: self._checked.ids.id_of("s", at) for at, pk in enumerate(self._pks, start=1)}
        for batch in self._checked.policies.batches(ROWS):
            rows = []
            for number, values in batch:
                del values["session"], values["id"]
                for name in ("created_at", "updated_at"):
                    values[name] = values[name] and datetime.fromisoformat(values[name])
                rows.append(SessionPolicy(session_id=self._pks[number - 1], **values))
            policy_rows.restore(rows, ids, by=self._owner)

    def _add_decisions(self) -> None:
        """Beside this server's log: it has not decided any of it."""
        id_of = self._checked.ids.id_of
        for batch in self._checked.decisions.batches(DECISION_ROWS):
            rows = [
                Carried(session_id=id_of("s", number), origin=origin, text=text)
                for number, origin, text in batch
            ]
            carried.store(rows, root_session_id=id_of("s", 1), by=self._owner)

    def _add_agents(self) -> None:
        for line in self._checked.agents:
            if line.bundle is None:
                continue
            try:
                agent = uploaded(
                    data=self._read_bundle(line), created_by=self._owner, check=agent_rules.problems
                )
            except InvalidAgentError as error:
                raise rules.invalid(f"The archive is not valid: {line.bundle}: {error}") from None
            agent.save(force_insert=True)
            pks = [
                pk
                for pk, session in zip(self._pks, self._checked.sessions, strict=True)
                if session.agent == line.id
            ]
            Session.objects.filter(pk__in=pks).update(agent=agent)


def _levels(lines: Sequence[SessionLine]) -> Iterator[tuple[int, int]]:
    """Runs of sessions whose parents all stand before the run."""
    start = 0
    for at, line in enumerate(lines):
        if line.parent is not None and int(line.parent[1:]) > start:
            yield start, at
            start = at
    yield start, len(lines)


def _usage_below(lines: Sequence[SessionLine]) -> list[buckets.Buckets]:
    """For each session, what all below it have used."""
    below: list[buckets.Buckets] = [{} for _ in lines]
    for at in range(len(lines) - 1, 0, -1):
        parent = int((lines[at].parent or "s1")[1:]) - 1
        below[parent] = buckets.added([below[parent], lines[at].usage.by_model, below[at]])
    return below
