"""A session's labels on their way out: one JSON text per session, pins only as their owner sees them."""

import orjson
from django.db.models import OuterRef, Subquery

from sessions_app.expressions import PairsAsJson
from sessions_app.models import SessionLabel

PIN = "omnigent.pinned"


def labels_as_json() -> Subquery:
    """The labels of the outer query's session as the text of a JSON object; null when it has none."""
    pairs = SessionLabel.objects.filter(session=OuterRef("pk")).order_by().values("session")
    return Subquery(pairs.annotate(pairs=PairsAsJson("key", "value")).values("pairs"))


def shown_labels(text: str | None, user_id: str) -> orjson.Fragment | dict[str, str]:
    """The labels as a person sees them: of everybody's pins only their own, under its common name."""
    if text is None:
        return {}
    if f"{PIN}." not in text:
        return orjson.Fragment(text)
    labels: dict[str, str] = orjson.loads(text)
    own = labels.get(f"{PIN}.{user_id}")
    shown = {key: value for key, value in labels.items() if not key.startswith(f"{PIN}.")}
    return {**shown, PIN: own} if own is not None else shown
