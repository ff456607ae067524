"""Requests made from the document, against a real server: it says all that can happen, and it is true.

Each operation gets a fixed number of examples from a fixed seed, valid and invalid ones, on things that exist
and on things that do not.
"""

import contextlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.generation import GenerationMode

from tests.contract.described import complaints, described
from tests.contract.live import World

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

EXAMPLES = 6
SEED = 20261122
SECONDS = 20
UNAVAILABLE = (502, 503, 504)
NOBODY = {"session_id": "conv_" + "0" * 32}
ELSEWHERE: Mapping[tuple[str, str], Mapping[str, str]] = {
    # Its good answer does not end.
    ("GET", "/v1/sessions/{session_id}/stream"): NOBODY,
    # It would take away what the others work on.
    ("DELETE", "/v1/sessions/{session_id}"): NOBODY,
}
"""Operations that are tried on what does not exist only."""


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"])
def test_every_answer_is_one_that_the_document_names(mode: Any, world: World) -> None:
    schema = schemathesis.openapi.from_dict(dict(described()))
    found: list[str] = []
    with requests.Session() as http:
        for result in schema.get_all_operations():
            found += complaints_about(result.ok(), mode, world, http)

    assert found == []


def complaints_about(operation: Any, mode: Any, world: World, http: requests.Session) -> list[str]:
    """Send one operation's examples; what is wrong with the answers."""
    key = (operation.method.upper(), operation.path)
    found: set[str] = set()

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), is_known=st.booleans())
    def send(case: Any, is_known: bool) -> None:
        ids = ELSEWHERE.get(key, world.ids if is_known else {})
        case.path_parameters = {
            name: ids.get(name, value) for name, value in (case.path_parameters or {}).items()
        }
        request = case.as_transport_kwargs(base_url=world.url)
        answer = http.request(**request, timeout=SECONDS)
        path = urlsplit(answer.request.url or "").path
        content_type = answer.headers.get("content-type", "")
        found.update(complaints(operation.method, path, answer.status_code, content_type, answer.content))
        if answer.status_code >= 500 and answer.status_code not in UNAVAILABLE:
            found.add(f"{key}: {answer.status_code} for {request}")

    # Of some operations nothing can be wrong.
    with contextlib.suppress(Unsatisfiable):
        send()
    return sorted(found)
