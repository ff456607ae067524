"""What an evaluation has to know of a session, read with one statement."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.db.models import Exists, OuterRef, Subquery

from omnigent.policies.types import PolicyState
from policies_app.models import ServerRevision
from sessions_app import buckets
from sessions_app.labels import PIN, labels_as_json
from sessions_app.models import Grant, HeldAction, Session
from sessions_app.querysets import OWNER_LEVEL
from sessions_app.services.access import not_found
from sessions_app.statements import Row, Slot, Statement, compiled, kept

ROOT_KEYS = frozenset({"_policy_cost_ask_approved_usd", "_policy_cost_unpriced_approved"})
"""What was agreed for a whole tree of sessions is remembered at its root."""

OWN = (
    *("id", "public_id", "title", "status", "runner_id", "host_id", "active_response_id"),
    *("model_override", "sub_agent_name", "created_by", "usage_by_model", "usage_below", "policy_cost_usd"),
    *("policy_cost_below_usd", "agent__id", "agent__public_id", "agent__version", "agent__model"),
)
REMEMBERED = ("policy_memory__state", "policy_memory__revision", "policy_memory__chain_revision")
SILENCED = "policy_memory__silenced"
ABOVE = (
    *("root__id", "root__public_id", "root__created_by", "root__agent__id", "root__agent__version"),
    *("root__agent__public_id", "root__usage_by_model", "root__usage_below"),
    *("root__policy_cost_usd", "root__policy_cost_below_usd"),
    *(f"root__{name}" for name in REMEMBERED),
)
COMPUTED = ("label_pairs", "owner", "server_revision", "has_held")


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """An agent of a chain, at one of its versions."""

    pk: int
    version: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Remembered:
    """A session's memory as it was read: an evaluation counts only if `revision` is still the same."""

    pk: int
    state: Mapping[str, Any]
    revision: int
    chain_revision: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """A session at one moment. `root` is its own memory again when nothing is above it. `first_labels` are
    the ones that its agent declares and nobody has set yet.

    `usage` is of the whole tree, `subtree_usage` of this session and what is below it.
    """

    pk: int
    public_id: str
    root_id: str
    title: str
    status: str
    runner_id: str
    host_id: str
    response_id: str
    model: str | None
    sub_agent_name: str
    owner: str
    agent_id: str
    agent: Place | None
    root_agent: Place | None
    root_agent_id: str
    own: Remembered
    root: Remembered
    labels: Mapping[str, str]
    usage: Mapping[str, Any]
    subtree_usage: Mapping[str, Any]
    server_revision: int
    silenced: Mapping[str, str]
    has_held: bool
    first_labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_root(self) -> bool:
        """Whether no session is above this one."""
        return self.own.pk == self.root.pk

    @property
    def state(self) -> PolicyState:
        """What policies see: the session's own state, and what was agreed for the tree."""
        agreed = {key: value for key, value in self.root.state.items() if key in ROOT_KEYS}
        return PolicyState(
            session_state={**self.own.state, **agreed}, labels={**self.first_labels, **self.labels}
        )


def read(session_pk: int) -> Facts:
    """Read them. Raises NOT_FOUND for a session that is gone."""
    row = _statement().row(key=session_pk)
    if row is None:
        raise not_found()
    return _facts(row)


def _facts(row: Row) -> Facts:
    names = (*OWN, *REMEMBERED, SILENCED, *ABOVE, *COMPUTED)
    found: dict[str, Any] = dict(zip(names, row, strict=True))
    own = _remembered(found, found["id"], "")
    has_root = found["root__id"] is not None and found["root__id"] != found["id"]
    root = _remembered(found, found["root__id"], "root__") if has_root else own
    agent = _place(found, "agent__")
    above = "root__" if has_root else ""
    return Facts(
        pk=found["id"],
        public_id=found["public_id"],
        root_id=found["root__public_id"] if has_root else found["public_id"],
        title=found["title"],
        status=found["status"],
        runner_id=found["runner_id"],
        host_id=found["host_id"],
        response_id=found["active_response_id"],
        model=found["model_override"] or found["agent__model"] or None,
        sub_agent_name=found["sub_agent_name"],
        owner=found["owner"] or found["root__created_by"] or found["created_by"],
        agent_id=found["agent__public_id"] or "",
        agent=agent,
        root_agent=_place(found, "root__agent__") if has_root else agent,
        root_agent_id=found[f"{above}agent__public_id"] or "",
        own=own,
        root=root,
        labels=_labels(found["label_pairs"]),
        usage=_usage(found, above),
        subtree_usage=_usage(found, ""),
        server_revision=found["server_revision"] or 0,
        silenced=_json(found[SILENCED]) or {},
        has_held=bool(found["has_held"]),
    )


def _remembered(found: Mapping[str, Any], pk: int, prefix: str) -> Remembered:
    state, revision, chain_revision = (found[f"{prefix}{name}"] for name in REMEMBERED)
    return Remembered(
        pk=pk, state=_json(state) or {}, revision=revision or 0, chain_revision=chain_revision or 0
    )


def _place(found: Mapping[str, Any], prefix: str) -> Place | None:
    pk = found[f"{prefix}id"]
    return None if pk is None else Place(pk=pk, version=found[f"{prefix}version"])


def _labels(text: str | None) -> dict[str, str]:
    labels: dict[str, str] = orjson.loads(text) if text else {}
    return {key: value for key, value in labels.items() if not key.startswith(f"{PIN}.")}


def _usage(found: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Tokens, and the cost as far as it is known: without the key while nothing has a price.

    What sessions say of their own cost for policies stands above what their models' prices come to.
    """
    own, below = (_json(found[f"{prefix}{name}"]) for name in ("usage_by_model", "usage_below"))
    total = buckets.added((own, below))
    used: dict[str, Any] = {
        name: sum(bucket.get(name) or 0 for bucket in total.values()) for name in buckets.TOKENS
    }
    charged = (found[f"{prefix}policy_cost_usd"], found[f"{prefix}policy_cost_below_usd"])
    costs = [
        buckets.cost_of(used_by) if policy_cost is None else policy_cost
        for used_by, policy_cost in zip((own, below), charged, strict=True)
    ]
    known = [cost for cost in costs if cost is not None]
    return {**used, buckets.COST: sum(known)} if known else used


def _json(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str | bytes) else value


@kept
def _statement() -> Statement:
    grants = Grant.objects.order_by().filter(level=OWNER_LEVEL)
    owner = grants.filter(session=OuterRef("root_id")) | grants.filter(session=OuterRef("pk"))
    rows = Session.objects.filter(pk=Slot("key")).annotate(
        label_pairs=labels_as_json(),
        owner=Subquery(owner.values("user_id")[:1]),
        server_revision=Subquery(ServerRevision.objects.order_by().values("number")[:1]),
        has_held=Exists(HeldAction.objects.filter(session=OuterRef("pk"))),
    )
    return compiled(rows.values_list(*OWN, *REMEMBERED, SILENCED, *ABOVE, *COMPUTED))
