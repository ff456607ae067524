"""How rows of the decision log are written as text, hashed one to the next, and sealed.

A row's text is a JSON object with sorted keys, in ASCII, without spaces: every column but `hash`, with null
for empty text and `created_at` in epoch seconds. Its hash is the SHA-256 of the hash before and that text.
Whoever has an export can do the same.
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from json.encoder import encode_basestring_ascii
from typing import Any

from django.conf import settings
from django.utils.crypto import salted_hmac

from policies_app.models import DecisionHead

GENESIS = "0" * 64
"""Stands for the hash before the first row."""

COLUMNS = (
    "seq",
    "decision_id",
    "created_at",
    "session_id",
    "root_session_id",
    "agent_id",
    "actor",
    "phase",
    "target",
    "verdict",
    "reason",
    "policy_id",
    "policy_name",
    "policy_version",
    "level",
    "shadow",
    "steps",
    "input_digest",
    "input",
    "elicitation_id",
    "latency_us",
    "prev_hash",
    "hash",
)
JSON_COLUMNS = frozenset({"shadow", "steps", "input"})
"""These hold JSON text, which goes into a row's text as it is."""

PLACES = tuple(sorted((name, at) for at, name in enumerate(COLUMNS)))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SEAL_SALT = "policies_app.decision_head"

Row = Sequence[Any]  # a row's values in the order of COLUMNS, JSON columns as text


def json_text(value: Any) -> str:  # any JSON value
    """Canonical JSON. What JSON has no word for is written as text."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True, default=str)


def row_text(row: Row, *, with_hash: bool = False) -> str:
    """A row as canonical JSON; with its hash it is a line of the export."""
    members = (f'"{name}":{_member(name, row[at])}' for name, at in PLACES if with_hash or name != "hash")
    return f"{{{','.join(members)}}}"


def _member(name: str, value: Any) -> str:  # any column's value
    if value is None or value == "":
        return "null"
    if isinstance(value, str):
        return str(value) if name in JSON_COLUMNS else encode_basestring_ascii(value)
    if isinstance(value, datetime):
        return repr(((value - EPOCH) // MICROSECOND) / 1_000_000)
    return str(value)


def hash_of(row: Row) -> str:
    """The hash that a row must have, hex."""
    prev_hash = row[COLUMNS.index("prev_hash")]
    return hashlib.sha256(f"{prev_hash}{row_text(row)}".encode()).hexdigest()


def seal_of(head: DecisionHead) -> str:
    """The seal that the present SECRET_KEY gives a head, hex."""
    return _seal(head, settings.SECRET_KEY)


def is_sealed(head: DecisionHead) -> bool:
    """Whether a head's seal was made by this server, with its present key or one before it."""
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return any(hmac.compare_digest(_seal(head, key), head.seal) for key in keys)


def _seal(head: DecisionHead, key: str | bytes) -> str:
    text = f"{head.seq}|{head.hash}|{head.floor_seq}|{head.floor_hash}"
    return salted_hmac(SEAL_SALT, text, secret=key, algorithm="sha256").hexdigest()
