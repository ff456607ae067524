"""The error class and its table."""

import pytest

from omnigent.errors import STATUS, ErrorCode, OmnigentError

CONTRACT = {
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "invalid_input": 400,
    "stale_cursor": 400,
    "wrong_replica": 400,
    "already_exists": 409,
    "conflict": 409,
    "internal_error": 500,
    "harness_protocol_violation": 500,
    "runner_unavailable": 503,
    "host_offline": 503,
    "runner_capability_mismatch": 503,
    "harness_not_configured": 412,
    "agent_in_use": 409,
    "refresh_unsupported": 409,
    "workspace_missing": 410,
    "session_agent_missing": 410,
    "upstream_permission_denied": 403,
    "upstream_cancelled": 499,
    "idempotency_mismatch": 422,
    "idempotency_in_flight": 409,
    "payload_too_large": 413,
    "rate_limited": 429,
}


@pytest.mark.parametrize(("code", "status"), CONTRACT.items(), ids=CONTRACT)
def test_each_code_has_the_status_of_the_contract(code: str, status: int) -> None:
    assert OmnigentError(ErrorCode(code), "text").status == status


def test_every_code_is_in_the_table_and_in_the_contract() -> None:
    assert set(STATUS) == set(ErrorCode)
    assert {code.value for code in ErrorCode} == set(CONTRACT)
    assert all(code.name == code.value.upper() for code in ErrorCode)


def test_an_error_may_override_its_status_and_carry_detail_and_headers() -> None:
    error = OmnigentError(
        ErrorCode.INVALID_INPUT, "bad", status=422, detail=[{"loc": []}], headers={"Retry-After": "1"}
    )

    assert (error.status, error.detail, dict(error.headers)) == (422, [{"loc": []}], {"Retry-After": "1"})
    assert str(error) == "bad"
    assert repr(error) == "OmnigentError('invalid_input', 'bad', status=422)"
