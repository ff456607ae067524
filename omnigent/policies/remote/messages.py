"""What a url policy is sent and what it may answer."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

import orjson

from omnigent.outbound import Answer
from omnigent.policies.answers import AnswerError, is_reserved, read_answer
from omnigent.policies.remote.errors import RemotePolicyError
from omnigent.version import VERSION

FORMAT_VERSION = 1
# An object of this process.
_UNSENT = frozenset({"llm_client"})
_USER_AGENT = f"Omnigent/{VERSION}"


def request_body(policy_id: str, name: str, event: Mapping[str, Any]) -> bytes:
    """The body for one event, without its `llm_client`."""
    sent = {key: value for key, value in event.items() if key not in _UNSENT}
    message = {"version": FORMAT_VERSION, "policy": {"id": policy_id, "name": name}, "event": sent}
    try:
        return orjson.dumps(message)
    except TypeError as problem:
        raise RemotePolicyError(f"the event cannot be sent as JSON ({problem})") from problem


def request_headers(body: bytes, *, secret: bytes, epoch_seconds: int) -> dict[str, str]:
    """The headers, signed when there is a secret: sha256 HMAC of the timestamp, a dot and the body."""
    headers = {"content-type": "application/json", "accept": "application/json", "user-agent": _USER_AGENT}
    if secret:
        signed = f"{epoch_seconds}.".encode() + body
        headers["x-omnigent-timestamp"] = str(epoch_seconds)
        headers["x-omnigent-signature"] = f"sha256={hmac.new(secret, signed, hashlib.sha256).hexdigest()}"
    return headers


def read_verdict(answer: Answer) -> dict[str, Any] | None:
    """A checked handler's answer, or None for no opinion; RemotePolicyError for everything else."""
    if answer.status == 204:
        return None
    if answer.status != 200:
        raise RemotePolicyError(f"answered with status {answer.status}")
    verdict = _object(answer.body)
    if not verdict:
        return None
    try:
        updates = read_answer(verdict).state_updates
    except AnswerError as problem:
        raise RemotePolicyError(str(problem)) from problem
    if reserved := [update.key for update in updates if is_reserved(update.key)]:
        raise RemotePolicyError(f"may not write the reserved state {reserved[0]!r}")
    return verdict


def _object(body: bytes) -> dict[str, Any]:
    try:
        # The strict reader refuses lone surrogates, NaN and other encodings; only the other sees duplicates.
        value = orjson.loads(body)
        json.loads(body, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as problem:
        raise RemotePolicyError("answered with something that is not JSON") from problem
    if not isinstance(value, dict):
        raise RemotePolicyError("answered with JSON that is not an object")
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two results in one object read differently to different readers."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in an object")
    return found
