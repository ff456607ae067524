"""Who is calling in single-user mode."""

import pytest

from omnigent.accounts.identity import identify, is_loopback
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import runner_id_for

LOCAL = ("127.0.0.1", 4000)


def test_a_local_peer_is_the_one_user_and_an_administrator() -> None:
    principal = identify([(b"host", b"localhost")], LOCAL)

    assert (principal.user_id, principal.is_admin, principal.kind) == ("local", True, "user")
    assert principal.is_authenticated


def test_authorization_is_ignored() -> None:
    assert identify([(b"authorization", b"Bearer nonsense")], LOCAL).user_id == "local"


def test_a_tunnel_token_makes_a_runner_with_the_derived_id_and_no_admin_rights() -> None:
    principal = identify([(b"x-omnigent-runner-tunnel-token", b"secret")], LOCAL)

    assert principal.kind == "runner"
    assert principal.runner_id == runner_id_for("secret")
    assert principal.user_id == "local"
    assert not principal.is_admin


def test_an_empty_tunnel_token_is_none() -> None:
    assert identify([(b"x-omnigent-runner-tunnel-token", b"")], LOCAL).kind == "user"


@pytest.mark.parametrize(
    "header",
    [
        b"forwarded",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"x-forwarded-email",
        b"x-real-ip",
        b"via",
        b"cf-connecting-ip",
    ],
)
def test_a_forwarded_request_is_refused_even_with_an_empty_value(header: bytes) -> None:
    with pytest.raises(OmnigentError) as caught:
        identify([(header, b"")], LOCAL)

    assert caught.value.code is ErrorCode.FORBIDDEN
    assert caught.value.status == 403


@pytest.mark.parametrize("client", [None, ("10.0.0.9", 1), ("", 1), ("localhost", 1), ("::ffff:10.0.0.9", 1)])
def test_any_other_peer_is_refused(client: tuple[str, int] | None) -> None:
    with pytest.raises(OmnigentError) as caught:
        identify([], client)

    assert caught.value.status == 403


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_every_loopback_address_is_local(address: str) -> None:
    assert is_loopback(address)
