"""The examples of docs/policies.md that need no server do what the text says."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from omnigent.outbound import Answer
from omnigent.policies.builtins.cel import cel_policy
from omnigent.policies.engine import evaluate
from omnigent.policies.loading import load
from omnigent.policies.params import problems
from omnigent.policies.registry import build_registry
from omnigent.policies.remote.messages import read_verdict, request_body, request_headers
from omnigent.policies.types import Phase, PolicyEvent, PolicyRef, PolicyState, StateUpdate
from omnigent.spec import bundle
from policies_app.catalogue import build_catalogue
from scripts.policy_catalogue import written
from tests.policies.events import request, shell
from tests.policy_document import DOCUMENT, ROOT, blocks, of_kind, only, write_modules

KINDS = {"sh", "json", "python", "cel", "json request", "json answer", "yaml config", "yaml agent"}
SETTING = re.compile(r"`(OMNIGENT_[A-Z_]+)`")


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory on the import path with the modules of the document."""
    for name in write_modules(tmp_path):
        sys.modules.pop(name.removesuffix(".py"), None)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_every_example_is_of_a_kind_that_is_executed() -> None:
    assert {block.kind for block in blocks()} == KINDS


def test_the_catalogue_is_what_the_registry_says() -> None:
    assert DOCUMENT.read_text() == written(DOCUMENT.read_text()), "run python -m scripts.policy_catalogue"


def test_the_test_of_the_python_example_passes(modules: Path) -> None:
    subprocess.run([sys.executable, "test_house_rules.py"], cwd=modules, check=True)


def house_rule(folders: list[str]) -> PolicyRef:
    """The example of the document, as the server builds it."""
    entry = build_registry(["house_rules"]).get("house_rules.keep_out")
    assert entry is not None
    assert problems(entry, {"folders": folders}) == []
    return PolicyRef(name="keep out", handler=load(entry, {"folders": folders}).call)


def writing(path: str) -> PolicyEvent:
    data = {"name": "sys_os_write", "arguments": {"path": path, "content": ""}}
    return PolicyEvent(phase=Phase.TOOL_CALL, target="sys_os_write", data=data)


def test_the_python_example_denies_asks_and_remembers(modules: Path) -> None:
    ref = house_rule(["/srv/payroll/"])
    tried = PolicyState(session_state={"kept_out": 3})

    first = evaluate(writing("/srv/payroll/may.csv"), [ref])

    assert (first.action, first.reason) == ("deny", "/srv/payroll/may.csv is not for agents")
    assert first.state_updates == (StateUpdate(key="kept_out", action="increment", value=1),)
    assert first.set_labels == {"kept_out": "yes"}
    assert evaluate(writing("/srv/payroll/may.csv"), [ref], tried).action == "ask"
    assert evaluate(writing("/tmp/notes"), [ref], tried).action == "allow"


def test_the_python_examples_parameters_are_checked(modules: Path) -> None:
    entry = build_registry(["house_rules"]).get("house_rules.keep_out")

    assert entry is not None
    assert problems(entry, {}) == ["requires 'folders'"]
    assert problems(entry, {"folders": [""]}) == ["'folders[0]' must have at least 1 characters"]


def costing(dollars: float) -> dict[str, Any]:
    event = request("go on")
    event["context"]["usage"] = {"total_cost_usd": dollars}
    return event


CEL = [
    [(shell("mkfs.ext4 /dev/sda1"), "deny"), (shell("ls"), None), (request("mkfs"), None)],
    [(costing(2.5), "ask"), (costing(1.5), None), (request("go on"), None), (shell("ls"), None)],
]


@pytest.mark.parametrize(("expression", "expected"), list(zip(of_kind("cel"), CEL, strict=True)))
def test_cel_examples_say_what_they_should(
    expression: str, expected: list[tuple[dict[str, Any], str | None]]
) -> None:
    decide = cel_policy(expression=expression)

    verdicts = [(decide(event) or {}).get("result") for event, _ in expected]

    assert verdicts == [verdict for _, verdict in expected]


def test_the_request_to_a_service_is_the_one_shown() -> None:
    shown = json.loads(only("json request"))

    sent = request_body(
        shown["policy"]["id"], shown["policy"]["name"], {**shown["event"], "llm_client": None}
    )

    assert json.loads(sent) == shown


def test_the_answer_of_a_service_is_accepted() -> None:
    text = only("json answer")

    assert read_verdict(Answer(status=200, headers={}, body=text.encode())) == json.loads(text)


def test_the_signature_check_tells_genuine_requests_from_others(modules: Path) -> None:
    is_genuine = import_module("signatures").is_genuine
    body = only("json request").encode()
    headers = request_headers(body, secret=b"s", epoch_seconds=1000)

    def checked(secret: bytes = b"s", given: Mapping[str, str] = headers, sent: bytes = body) -> bool:
        return bool(is_genuine(secret, given, sent, 1010.0))

    assert checked()
    assert not checked(secret=b"t")
    assert not checked(sent=body + b" ")
    assert not checked(given={**headers, "x-omnigent-timestamp": "1001"})
    assert not checked(given={})
    assert not is_genuine(b"s", headers, body, 2000.0)


def test_the_config_file_has_no_problem(modules: Path) -> None:
    path = modules / "omnigent.yaml"
    path.write_text(only("yaml config"))

    found = build_catalogue(config_file=str(path))

    assert (found.problems, found.missing) == ((), ())
    assert [policy.name for policy in found.config_policies] == ["payroll", "careful_in_production"]
    assert found.config_policies[1].condition == {"env": ("prod", "staging")}


def test_the_agents_specification_can_be_read() -> None:
    spec = bundle.spec_of({"config.yaml": only("yaml agent").encode()})

    assert [policy.name for policy in spec.policies] == ["few_calls"]
    assert spec.ask_timeout == 7200


def test_no_document_of_policies_names_a_setting_that_is_gone() -> None:
    named = set(SETTING.findall(DOCUMENT.read_text()))

    assert named <= set(SETTING.findall((ROOT / "docs" / "operations.md").read_text()))
