"""Numbers that JSON allows and an answer could not hold."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("number", ["99999999999999999999", "1e400"])
def test_a_number_that_cannot_be_kept_is_refused(number: str) -> None:
    body = (
        '{"name": "p", "type": "python", "handler": "omnigent.policies.block_long_sleep",'
        ' "factory_params": {"max_seconds": ' + number + "}}"
    )

    answer = Client().post("/v1/policies", body, content_type="application/json")

    assert answer.status_code in (400, 422), answer.content
    assert Client().get("/v1/policies").json()["data"] == []
