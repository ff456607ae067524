"""Minting ids and reading those of clients."""

import re

import pytest

from omnigent import ids

HEX = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    "prefix",
    [
        ids.SESSION,
        ids.AGENT,
        ids.ITEM,
        ids.RESPONSE,
        ids.RUNNER,
        ids.HOST,
        ids.POLICY,
        ids.ELICITATION,
        ids.TURN,
    ],
)
def test_minted_ids_are_a_prefix_and_32_hex_and_differ(prefix: str) -> None:
    first, second = ids.mint(prefix), ids.mint(prefix)

    assert re.fullmatch(rf"{prefix}_[0-9a-f]{{32}}", first)
    assert first != second
    assert ids.canonical(prefix, first) == first


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (HEX, f"conv_{HEX}"),
        (f"conv_{HEX}", f"conv_{HEX}"),
        ("ag_builtin_codex", "ag_builtin_codex"),
        (HEX.upper(), HEX.upper()),
        ("x" * 64, "x" * 64),
        ("x" * 65, None),
        ("", None),
        ("a b", None),
        ("../etc", None),
        (f"{HEX}\n", None),
        ("conv_\N{LATIN SMALL LETTER E WITH ACUTE}", None),
        ("a\0", None),
    ],
)
def test_bare_hex_gets_the_prefix_and_other_ids_stay(text: str, meant: str | None) -> None:
    assert ids.canonical("conv", text) == meant


@pytest.mark.parametrize(
    ("text", "meant"),
    [(f"host_{HEX}", HEX), (HEX, HEX), ("laptop", "laptop"), ("host_1", "host_1"), ("a/b", None)],
)
def test_host_ids_are_kept_as_the_daemon_minted_them(text: str, meant: str | None) -> None:
    assert ids.canonical_host(text) == meant


def test_a_runner_id_is_derived_from_its_token() -> None:
    assert ids.runner_id_for("secret") == "runner_token_" + EXPECTED
    assert ids.runner_id_for("other") != ids.runner_id_for("secret")


EXPECTED = "d4bbec96a6370d8a1c5ce790fa44aa19"
