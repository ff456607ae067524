"""The models that a host offers for a session that is still to be made."""

from pathlib import Path

import pytest

from tests.host.doubles import TunnelServer, running_host


@pytest.mark.parametrize(
    ("harness", "model"),
    [("scripted", "scripted"), ("anthropic", "the-house-model"), ("agents_sdk", "the-house-model")],
)
async def test_the_model_of_a_session_that_names_none_is_offered(
    server: TunnelServer, data_dir: Path, harness: str, model: str
) -> None:
    async with running_host(server, data_dir, environ={"OMNIGENT_MODEL": "the-house-model"}):
        tunnel = await server.next_tunnel()
        answer = await tunnel.ask("host.model_options", harness=harness)

    assert (answer["status"], answer["error"], answer["routable_models"]) == ("ok", None, [])
    assert answer["models"] == [{"id": model, "model": model, "displayName": model, "isDefault": True}]


async def test_a_harness_that_is_not_there_is_told(server: TunnelServer, data_dir: Path) -> None:
    async with running_host(server, data_dir):
        tunnel = await server.next_tunnel()
        answer = await tunnel.ask("host.model_options", harness="nonesuch")

    assert (answer["status"], answer["models"]) == ("failed", [])
    assert "nonesuch" in answer["error"]
