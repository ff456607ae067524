"""Bundles that are lost or damaged, and lists that read none."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from agents_app.models import Agent
from agents_app.services import register_builtin
from agents_app.specs import Specs
from agents_app.storage import bundle_name
from tests.agents.registry import Registry, directory
from tests.error_shape import assert_error
from tests.statements import CONTROL

URL = "/v1/agents"
DOCUMENT = """
name: {name}
description: One of many
prompt: {name} helps.
executor: {{harness: scripted}}
terminals: {{shell: bash}}
tools: {{notes: {{type: mcp, url: 'https://example.org'}}}}
policies: {{careful: {{type: function, handler: omnigent.policies.ask_on_os_tools}}}}
"""


class Unreadable(FileSystemStorage):
    """A store that tells what lies there, and from which nothing may be read."""

    def _open(self, name: str, mode: str = "rb") -> File:  # type: ignore[type-arg]  # of bytes
        raise AssertionError(f"{name} was read")


@pytest.fixture
def unreadable(settings: Settings) -> Iterator[None]:
    stores: dict[str, Any] = dict(settings.STORAGES)
    stores["default"] = {"BACKEND": f"{__name__}.Unreadable"}
    settings.STORAGES = stores
    yield


def make(name: str) -> Agent:
    """An agent that shows something everywhere."""
    return register_builtin(files={f"{name}.yaml": DOCUMENT.format(name=name).encode()})


def lose(path: Path) -> None:
    path.unlink()


def tear(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:40])


def overwrite(path: Path) -> None:
    path.write_bytes(b"not an archive at all")


def bundle_of(agent: Agent) -> Path:
    return Path(default_storage.path(bundle_name(agent.digest)))


@pytest.mark.parametrize("damage", [lose, tear, overwrite])
def test_one_bad_bundle_breaks_no_list(reader: Client, damage: Callable[[Path], None]) -> None:
    good, bad = make("good"), make(f"bad-{damage.__name__}")
    damage(bundle_of(bad))

    rows = {row["id"]: row for row in reader.get(URL).json()["data"]}

    row = rows[bad.public_id]
    assert (row["name"], row["description"], row["harness"]) == (bad.name, "One of many", None)
    assert all(row[key] == [] for key in ("mcp_servers", "policies", "skills", "terminals"))
    assert rows[good.public_id]["harness"] == "scripted"
    assert all(rows[good.public_id][key] for key in ("mcp_servers", "policies", "terminals"))
    assert reader.get(f"{URL}/{bad.public_id}").json()["harness"] is None


def test_damage_that_keeps_the_size_is_noted_when_somebody_reads_it(reader: Client) -> None:
    agent = make("subtle")
    path = bundle_of(agent)
    path.write_bytes(b"x" * path.stat().st_size)

    assert_error(reader.get(f"{URL}/{agent.public_id}/config"), 410, "session_agent_missing")

    assert reader.get(URL).json()["data"][0]["harness"] is None
    assert b"invalid agent bundle" in reader.get("/admin/agents_app/agent/").content


@pytest.mark.parametrize("damage", [lose, tear, overwrite])
def test_seeding_again_heals_it(reader: Client, damage: Callable[[Path], None]) -> None:
    agent = make(f"healed-{damage.__name__}")
    damage(bundle_of(agent))
    reader.get(f"{URL}/{agent.public_id}/config")

    make(agent.name)

    (row,) = reader.get(URL).json()["data"]
    assert (row["harness"], row["version"]) == ("scripted", 1)
    assert reader.get(f"{URL}/{agent.public_id}/config").json()["instructions"] == f"{agent.name} helps."


async def test_a_lost_upload_is_gone_for_its_session_alone(registry: Registry) -> None:
    made = await registry.uploaded(directory(description="Lost"))
    agent = await registry.run(Agent.objects.get)
    bundle_of(agent).unlink()
    where = f"/v1/sessions/{made['id']}"

    assert (await registry.agent(made["id"]))["harness"] is None
    assert_error(await registry.http.get(f"{where}/agent/contents"), 410, "session_agent_missing")
    assert (await registry.http.get(where)).status_code == 200
    answer = await registry.put(made["id"], directory(description="Found"))
    assert (answer.json()["harness"], answer.json()["version"]) == ("scripted", 2)


def statements(reader: Client) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert reader.get(URL, {"limit": 1000}).status_code == 200
    return len([entry for entry in captured if not entry["sql"].startswith(CONTROL)])


def test_a_list_costs_as_many_statements_however_long_it_is(reader: Client) -> None:
    make("first")
    few = statements(reader)
    template = Agent.objects.get()
    template_values = {
        field.name: getattr(template, field.name)
        for field in Agent._meta.concrete_fields
        if field.name not in ("id", "public_id", "name")
    }
    Agent.objects.bulk_create([Agent(name=f"a{number}", **template_values) for number in range(499)])

    assert len(reader.get(URL, {"limit": 1000}).json()["data"]) == 500
    assert statements(reader) == few <= 4


def test_a_list_reads_no_bundle(reader: Client, db: None, unreadable: None) -> None:
    make("unread")

    (row,) = reader.get(URL).json()["data"]

    assert row["harness"] == "scripted"
    with pytest.raises(AssertionError, match="was read"):
        default_storage.open(bundle_name(Agent.objects.get().digest))


def test_a_specification_is_parsed_once_for_its_content(db: None) -> None:
    agent, specs = make("parsed"), Specs()
    first = specs.spec(agent.digest)
    bundle_of(agent).unlink()

    assert specs.spec(agent.digest) is first
    make("parsed")


def test_what_was_whole_is_asked_again_after_a_while(db: None) -> None:
    now = [0.0]
    agent, specs = make("watched"), Specs(clock=lambda: now[0])
    assert specs.is_whole(agent.digest, agent.bundle_bytes)
    bundle_of(agent).unlink()

    assert specs.is_whole(agent.digest, agent.bundle_bytes)
    now[0] = 61.0
    assert not specs.is_whole(agent.digest, agent.bundle_bytes)
    make("watched")
