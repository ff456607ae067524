"""Registering the operator's agents from files."""

import logging
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.test import Client
from pytest_django.fixtures import Settings

from agents_app.models import Agent
from agents_app.services import builtin_id, seed
from agents_app.storage import bundle_name, read_bundle
from omnigent.spec import bundle
from tests.factories import make_agent, make_session

DOCUMENT = "name: {name}\nprompt: {prompt}\nexecutor:\n  harness: scripted\n"

pytestmark = pytest.mark.django_db


def write(path: Path, name: str = "helper", prompt: str = "Help.") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(DOCUMENT.format(name=name, prompt=prompt))
    return path


def test_the_shipped_agents_can_all_be_registered(caplog: pytest.LogCaptureFixture) -> None:
    agents = seed()

    assert "scripted" in {agent.name for agent in agents}
    assert all(agent.public_id == builtin_id(agent.name) for agent in agents)
    assert caplog.records == []


@pytest.mark.parametrize("vendor", ["claude", "codex"])
def test_the_agents_for_terminals_have_the_shape_of_the_contract(vendor: str) -> None:
    agents = {agent.name: agent for agent in seed()}

    spec = bundle.read(read_bundle(agents[f"{vendor}-native-ui"].digest))

    assert (spec.harness, spec.spawn, list(spec.terminals)) == (f"{vendor}-native", True, ["shell"])
    assert spec.instructions
    assert spec.os_env is not None
    assert (spec.os_env.type, spec.os_env.cwd, spec.os_env.sandbox.type) == ("caller_process", ".", "none")


def test_there_is_one_for_each_engine_of_the_documentation() -> None:
    harnesses = {agent.name: agent.harness for agent in seed()}

    assert harnesses["claude-sdk"] == "claude_sdk"
    assert harnesses["openai-agents"] == "agents_sdk"
    assert harnesses["codex"] == "codex"


def test_ids_depend_on_the_name_alone() -> None:
    assert builtin_id("scripted") == "ag_615d7b2694d013c9f33639e9d9a48b58"


def test_the_same_content_changes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "helper.yaml")
    (first,) = seed([path])

    (second,) = seed([path])

    assert (second.pk, second.version, second.updated_at) == (first.pk, 1, None)


def test_other_content_is_a_new_version_under_the_same_id(tmp_path: Path) -> None:
    (first,) = seed([write(tmp_path / "helper.yaml")])

    (second,) = seed([write(tmp_path / "helper.yaml", prompt="Help more.")])

    assert (second.public_id, second.version) == (first.public_id, 2)
    assert second.updated_at is not None
    assert second.digest != first.digest
    assert bundle.read(read_bundle(second.digest)).instructions == "Help more."
    assert bundle.read(read_bundle(first.digest)).instructions == "Help."


def test_a_vanished_bundle_is_stored_again(tmp_path: Path) -> None:
    (agent,) = seed([write(tmp_path / "helper.yaml", prompt="Vanishing.")])
    default_storage.delete(bundle_name(agent.digest))

    seed([tmp_path / "helper.yaml"])

    assert read_bundle(agent.digest)


def test_a_torn_bundle_is_replaced(tmp_path: Path) -> None:
    (agent,) = seed([write(tmp_path / "helper.yaml", prompt="Torn.")])
    whole = read_bundle(agent.digest)
    Path(default_storage.path(bundle_name(agent.digest))).write_bytes(whole[:10])

    seed([tmp_path / "helper.yaml"])

    assert read_bundle(agent.digest) == whole


def test_directories_hold_files_bundles_and_archives(tmp_path: Path) -> None:
    write(tmp_path / "agents" / "one.yaml", "one")
    directory = tmp_path / "agents" / "two"
    directory.mkdir()
    (directory / "config.yaml").write_text(
        "spec_version: 1\nname: two\nexecutor:\n  type: omnigent\n  config:\n    harness: scripted\n"
    )
    (directory / "AGENTS.md").write_text("From the file.")
    archive = bundle.pack({"three.yaml": DOCUMENT.format(name="three", prompt="Hi").encode()})
    (tmp_path / "agents" / "three.tar.gz").write_bytes(archive)
    (tmp_path / "agents" / "notes.txt").write_text("not an agent")

    agents = {agent.name: agent for agent in seed([tmp_path / "agents"])}

    assert set(agents) == {"one", "two", "three"}
    assert bundle.read(read_bundle(agents["two"].digest)).instructions == "From the file."


def test_the_last_of_one_name_counts_and_stays(tmp_path: Path, settings: Settings) -> None:
    settings.OMNIGENT_BUILTIN_AGENT_DIRS = (write(tmp_path / "mine.yaml", "scripted", "Mine."),)

    versions = [next(agent for agent in seed() if agent.name == "scripted") for _ in range(2)]

    assert [agent.version for agent in versions] == [1, 1]
    assert bundle.read(read_bundle(versions[0].digest)).instructions == "Mine."


def test_a_broken_entry_is_logged_and_the_others_are_seeded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "bad.yaml").write_text("name: [")
    (tmp_path / "agents" / "worse.yaml").write_bytes(b"\xff\xfe")
    write(tmp_path / "agents" / "good.yaml", "good")

    with caplog.at_level(logging.WARNING):
        agents = seed([tmp_path / "missing", tmp_path / "agents"])

    assert [agent.name for agent in agents] == ["good"]
    assert [record.message for record in caplog.records] == ["agent_skipped"] * 3


def test_the_environment_adds_places(tmp_path: Path, settings: Settings) -> None:
    settings.OMNIGENT_BUILTIN_AGENT_DIRS = (write(tmp_path / "mine.yaml", "mine"),)

    assert {"mine", "scripted"} <= {agent.name for agent in seed()}


def test_the_command_seeds_what_it_is_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("seed_agents", str(write(tmp_path / "helper.yaml")))

    assert capsys.readouterr().out == f"helper\t{builtin_id('helper')}\tversion 1\n"
    assert Agent.objects.count() == 1


def test_operators_see_whether_a_bundle_is_there(tmp_path: Path, reader: Client) -> None:
    (agent,) = seed([write(tmp_path / "helper.yaml", prompt="Admin.")])

    make_session(agent)

    page = reader.get("/admin/agents_app/agent/").content.decode()
    one = reader.get(f"/admin/agents_app/agent/{agent.pk}/change/").content.decode()

    assert all(text in page for text in ("helper", "server", "scripted", agent.digest[:12]))
    assert '<td class="field-sessions_bound">1</td>' in page
    assert "icon-yes" in one
    assert agent.digest in one


@pytest.mark.parametrize(("kind", "shown"), [("server", "helper"), ("user", "kept"), ("session", "brought")])
def test_operators_see_whose_agents_there_are(reader: Client, kind: str, shown: str) -> None:
    make_agent("helper")
    make_agent("kept", is_builtin=False, is_reusable=True, created_by="olga")
    make_agent("brought", is_builtin=False, created_by="olga")

    page = reader.get("/admin/agents_app/agent/", {"kind": kind}).content.decode()

    assert [name for name in ("helper", "kept", "brought") if f">{name}</a>" in page] == [shown]
    assert "the bundle is missing or torn" in page
