"""/v1/hosts and /v1/runners."""

from datetime import timedelta

from django.test import Client
from django.utils import timezone

from tests.error_shape import assert_error
from tests.factories import make_host, make_lease, make_runner


def test_hosts_are_the_callers_own(reader: Client) -> None:
    online, offline = make_host(interactive_shells=["bash"]), make_host(online=False, name="laptop")
    make_host(owner="somebody")

    answer = reader.get("/v1/hosts").json()

    assert answer["hosts"][0].pop("last_seen_at") is not None
    assert answer["hosts"][0] == {
        "host_id": online.public_id,
        "name": "vm",
        "owner": "local",
        "status": "online",
        "version": None,
        "sandbox_provider": None,
        "configured_harnesses": {"scripted": True},
        "gateway_inference": None,
        "interactive_shells": ["bash"],
    }
    assert [(host["host_id"], host["status"]) for host in answer["hosts"]] == [
        (online.public_id, "online"),
        (offline.public_id, "offline"),
    ]


def test_one_host_by_bare_or_prefixed_id(reader: Client) -> None:
    host, foreign = make_host(), make_host(owner="somebody")

    assert reader.get(f"/v1/hosts/{host.public_id}").json()["status"] == "online"
    assert reader.get(f"/v1/hosts/host_{host.public_id}").json()["host_id"] == host.public_id
    for missing in (foreign.public_id, "0" * 32, "no id"):
        assert_error(reader.get(f"/v1/hosts/{missing}"), 404, "not_found", "Host not found")


def test_a_lease_that_ran_out_is_offline(reader: Client) -> None:
    host = make_host(online=False)
    make_lease("host", host.public_id, renewed_at=timezone.now() - timedelta(hours=1))

    assert reader.get(f"/v1/hosts/{host.public_id}").json()["status"] == "offline"


def test_runners_are_listed_while_online(reader: Client) -> None:
    runner = make_runner("one")
    make_runner("two", online=False)
    make_runner("three", owner="somebody")

    assert reader.get("/v1/runners").json() == {
        "data": [{"runner_id": runner.public_id, "online": True, "harnesses": ["scripted"]}]
    }


def test_a_runners_status_tells_how_it_ended(reader: Client) -> None:
    now = timezone.now()
    online = make_runner("one")
    ended = make_runner("two", online=False, exited_at=now, exit_report="it broke\n" + "x" * 2000)
    forgotten = make_runner("three", online=False, exited_at=now - timedelta(hours=1), exit_report="long ago")
    foreign = make_runner("four", owner="somebody")

    def status(runner_id: str) -> dict[str, object]:
        answer: dict[str, object] = reader.get(f"/v1/runners/{runner_id}/status").json()
        return answer

    assert status(online.public_id) == {"runner_id": online.public_id, "online": True}
    assert status(ended.public_id)["error"] == "it broke\n" + "x" * 2000
    for runner_id in (forgotten.public_id, foreign.public_id, "runner_unknown"):
        assert status(runner_id) == {"runner_id": runner_id, "online": False}


def test_no_bearer_is_needed_here(reader: Client) -> None:
    assert_error(reader.post("/v1/runners/runner_x/token"), 400, "invalid_input")
