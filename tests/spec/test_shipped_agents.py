"""The agents of examples/agents load, may be uploaded to a server with many users, and can run here."""

import pytest

from examples.run import AGENTS, EXAMPLES, needs
from omnigent.policies.params import problems
from omnigent.policies.registry import build_registry
from omnigent.runner.harnesses.rows import HARNESSES
from omnigent.spec import bundle
from omnigent.spec.tree import DOCUMENT
from omnigent.spec.uploads import upload_problems

NAMES = sorted(EXAMPLES)


def test_every_agent_there_is_an_example_with_a_command() -> None:
    directories = {path.parent.name for path in AGENTS.glob(f"*/{DOCUMENT}")}
    files = {path.name for path in AGENTS.glob("*.yaml")}

    assert {example.path for example in EXAMPLES.values()} == directories | files


@pytest.mark.parametrize("name", NAMES)
def test_it_loads_and_may_be_uploaded(name: str) -> None:
    archive = EXAMPLES[name].bundle()

    spec = bundle.read(archive)

    registry = build_registry([])
    handlers = {policy.handler for one in (spec, *spec.below()) for policy in one.policies}
    assert spec.name == name
    assert spec.description
    assert upload_problems(spec, tuple(bundle.unpack(archive)), handlers) == ()
    assert {handler for handler in handlers if registry.get(handler) is None} == set()


@pytest.mark.parametrize("name", NAMES)
def test_its_policies_take_their_parameters(name: str) -> None:
    spec = bundle.read(EXAMPLES[name].bundle())
    registry = build_registry([])

    for one in (spec, *spec.below()):
        for policy in one.policies:
            entry = registry.get(policy.handler)
            assert entry is not None
            assert problems(entry, dict(policy.factory_params or {})) == [], policy.name


@pytest.mark.parametrize("name", NAMES)
def test_its_harnesses_run_here(name: str) -> None:
    harnesses = needs(bundle.read(EXAMPLES[name].bundle()))

    assert harnesses
    assert harnesses <= HARNESSES.keys()


def test_the_supervisor_works_on_engines_of_two_vendors() -> None:
    spec = bundle.read(EXAMPLES["supervisor"].bundle())

    assert {child.name: child.harness_id for child in spec.sub_agents} == {
        "scout": "codex",
        "builder": "claude-sdk",
        "reviewer": "openai-agents",
    }
    assert spec.callable_agents == ("scout", "builder", "reviewer")


def test_the_coding_helper_has_its_instructions_and_its_skill_in_files() -> None:
    spec = bundle.read(EXAMPLES["coding-helper"].bundle())

    assert "Run what you have changed." in spec.instructions
    assert [skill.name for skill in spec.skills] == ["review-change"]
