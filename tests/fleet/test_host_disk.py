"""Looking at a host's disk, its work trees and its models, and making directories."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from omnigent.protocol import host_frames
from tests.error_shape import assert_error, assert_invalid
from tests.factories import make_host
from tests.inputs.rig import Rig
from tests.sessions.fake_host import HOST, FakeHost, failing

URL = f"/v1/hosts/{HOST}"
READS = ("/filesystem", "/filesystem/tmp", "/worktrees?path=/repo", "/harnesses/scripted/model-options")
WRITES: tuple[tuple[str, dict[str, str]], ...] = (
    ("/directories", {"path": "/tmp/new"}),
    ("/harnesses/refresh", {}),
    ("/runners", {"session_id": "conv_" + "0" * 32, "workspace": "/tmp"}),
)
REQUESTS = [*(("GET", path, None) for path in READS), *(("POST", path, body) for path, body in WRITES)]
ENTRY = host_frames.DirEntry(name="a.txt", path="/home/me/a.txt", type="file", bytes=3, modified_at=17.9)


def answering(result: host_frames.Result) -> Callable[[Any], host_frames.Result]:
    """Give this answer to whatever is asked."""
    return lambda ask: replace(result, request_id=ask.request_id)


def listing(**fields: Any) -> host_frames.ListDirResult:
    """A page of a directory."""
    return host_frames.ListDirResult(request_id="", **{"status": "ok", **fields})


@pytest.fixture
def disk(host: FakeHost) -> FakeHost:
    """A host whose directories have one entry."""
    host.handlers[host_frames.ListDir] = answering(listing(entries=(ENTRY,), has_more=True))
    return host


@pytest.mark.parametrize(
    ("suffix", "path"),
    [
        pytest.param("", "~", id="home"),
        pytest.param("/home/me", "/home/me", id="absolute"),
        pytest.param("//home/me", "/home/me", id="absolute with its slash"),
        pytest.param("/%2Fhome%2Fme", "/home/me", id="encoded"),
        pytest.param("/", "/", id="root"),
        pytest.param("/~/code", "~/code", id="below home"),
        pytest.param("/srv/a%20b%0Ac", "/srv/a b\nc", id="odd characters"),
    ],
)
async def test_a_directory_is_listed_by_its_path(rig: Rig, disk: FakeHost, suffix: str, path: str) -> None:
    answer = await rig.http.get(f"{URL}/filesystem{suffix}")

    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "object": "list",
        "data": [{"name": "a.txt", "path": "/home/me/a.txt", "type": "file", "bytes": 3, "modified_at": 17}],
        "first_id": "/home/me/a.txt",
        "last_id": "/home/me/a.txt",
        "has_more": True,
    }
    [ask] = disk.asked_for(host_frames.ListDir)
    assert (ask.path, ask.limit, ask.after, ask.before) == (path, 20, None, None)


async def test_limit_and_cursors_reach_the_host(rig: Rig, disk: FakeHost) -> None:
    await rig.http.get(f"{URL}/filesystem/tmp?limit=7&after=/tmp/a&before=/tmp/z")

    [ask] = disk.asked_for(host_frames.ListDir)
    assert (ask.limit, ask.after, ask.before) == (7, "/tmp/a", "/tmp/z")


async def test_a_host_is_known_with_its_prefix_too(rig: Rig, disk: FakeHost) -> None:
    assert (await rig.http.get(f"/v1/hosts/host_{HOST}/filesystem")).status_code == 200


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "after=%00"])
async def test_a_bad_page_is_refused(rig: Rig, disk: FakeHost, query: str) -> None:
    assert_invalid(await rig.http.get(f"{URL}/filesystem?{query}"), "query", query.partition("=")[0])
    assert disk.asked == []


@pytest.mark.parametrize("path", ["a%00b", "x" * 4097], ids=["NUL", "too long"])
async def test_a_path_that_cannot_be_one_is_refused(rig: Rig, disk: FakeHost, path: str) -> None:
    assert_error(await rig.http.get(f"{URL}/filesystem/{path}"), 400, "invalid_input")
    assert disk.asked == []


async def test_a_missing_directory_is_not_found(rig: Rig, host: FakeHost) -> None:
    host.handlers[host_frames.ListDir] = answering(listing(error="No such file or directory"))

    body = assert_error(await rig.http.get(f"{URL}/filesystem/nowhere"), 404, "not_found")

    assert body["detail"] == "No such file or directory"


async def test_an_empty_directory_is_an_empty_page(rig: Rig, host: FakeHost) -> None:
    host.handlers[host_frames.ListDir] = answering(listing())

    page = (await rig.http.get(f"{URL}/filesystem/tmp")).json()

    assert page == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}


FAILED = {
    host_frames.ListDir: host_frames.ListDirResult(request_id="", status=""),
    host_frames.CreateDir: host_frames.CreateDirResult(request_id="", status=""),
    host_frames.ModelOptions: host_frames.ModelOptionsResult(request_id="", status=""),
    host_frames.RefreshHarnesses: host_frames.RefreshHarnessesResult(request_id="", status=""),
}


@pytest.mark.parametrize("is_nonsense", [False, True], ids=["failed", "nonsense"])
@pytest.mark.parametrize(
    ("kind", "method", "path", "body"),
    [
        (host_frames.ListDir, "GET", "/filesystem/tmp", None),
        (host_frames.CreateDir, "POST", "/directories", {"path": "/tmp/new"}),
        (host_frames.ModelOptions, "GET", "/harnesses/scripted/model-options", None),
        (host_frames.RefreshHarnesses, "POST", "/harnesses/refresh", None),
    ],
)
async def test_a_host_that_fails_is_a_bad_gateway(
    rig: Rig, host: FakeHost, kind: Any, method: str, path: str, body: Any, is_nonsense: bool
) -> None:
    stat = host_frames.StatResult(request_id="", status="ok")
    host.handlers[kind] = answering(stat) if is_nonsense else failing(FAILED[kind], "disk on fire")

    answer = await rig.http.request(method, f"{URL}{path}", json=body)

    shown = assert_error(answer, 502, "internal_error")
    assert is_nonsense or "disk on fire" in shown["error"]["message"]


async def test_a_host_that_does_not_answer_in_time_is_a_gateway_timeout(rig: Rig, host: FakeHost) -> None:
    host.handlers.pop(host_frames.ListDir, None)

    assert_error(await rig.http.get(f"{URL}/filesystem"), 504, "host_offline")


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS)
async def test_a_host_that_is_away_unknown_or_somebody_elses(
    rig: Rig, method: str, path: str, body: Any
) -> None:
    away = await rig.run(make_host, online=False)
    foreign = await rig.run(make_host, owner="somebody")

    async def ask(host_id: str) -> Any:
        return await rig.http.request(method, f"/v1/hosts/{host_id}{path}", json=body)

    assert_error(await ask(away.public_id), 409, "conflict", "host is offline")
    assert assert_error(await ask("0" * 32), 404, "not_found")["detail"] == "host not found"
    assert assert_error(await ask("no-host"), 404, "not_found")["detail"] == "host not found"
    assert assert_error(await ask(foreign.public_id), 403, "forbidden")["detail"] == "not your host"


async def test_a_host_whose_connection_goes_in_the_middle_is_away(rig: Rig, host: FakeHost) -> None:
    def lose(ask: Any) -> host_frames.Result:
        tunnel = rig.process.tunnels.get("host", HOST)
        assert tunnel is not None
        tunnel.lose()
        return listing()

    host.handlers[host_frames.ListDir] = lose

    assert_error(await rig.http.get(f"{URL}/filesystem"), 409, "conflict", "host is offline")


@pytest.mark.parametrize("path", ["/home/me/new", "~/new", "~"])
async def test_a_directory_is_made(rig: Rig, host: FakeHost, path: str) -> None:
    answer = await rig.http.post(f"{URL}/directories", json={"path": path})

    assert (answer.status_code, answer.json()) == (
        200,
        {"object": "directory", "path": path.replace("~", "/home/me")},
    )


async def test_a_directory_that_is_there_is_told(rig: Rig, host: FakeHost) -> None:
    made = host_frames.CreateDirResult(request_id="", status="ok", path="/tmp", error="already exists")
    host.handlers[host_frames.CreateDir] = answering(made)

    assert_error(await rig.http.post(f"{URL}/directories", json={"path": "/tmp"}), 409, "already_exists")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"path": "here"}, 400),
        ({"path": ""}, 400),
        ({"path": "../up"}, 400),
        ({"path": "/a\0b"}, 422),
        ({"path": "/" + "x" * 4096}, 422),
        ({"path": 1}, 422),
        ({}, 422),
        ([], 422),
    ],
    ids=str,
)
async def test_a_bad_directory_is_refused(rig: Rig, host: FakeHost, body: Any, status: int) -> None:
    assert_error(await rig.http.post(f"{URL}/directories", json=body), status, "invalid_input")
    assert host.asked == []


async def test_a_directory_is_made_once_under_one_key(rig: Rig, host: FakeHost) -> None:
    async def make(path: str) -> Any:
        return await rig.http.post(
            f"{URL}/directories", json={"path": path}, headers={"Idempotency-Key": "k"}
        )

    first = await make("/tmp/new")
    tunnel = rig.process.tunnels.get("host", HOST)
    assert tunnel is not None
    await tunnel.close(1012, "gone for a moment")
    again = await make("/tmp/new")

    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert len(host.asked_for(host_frames.CreateDir)) == 1
    assert_error(await make("/tmp/other"), 422, "idempotency_mismatch")


async def test_a_failure_may_be_tried_again_under_its_key(rig: Rig, host: FakeHost) -> None:
    good = host.handlers[host_frames.CreateDir]
    host.handlers[host_frames.CreateDir] = failing(FAILED[host_frames.CreateDir], "read-only")

    async def make() -> Any:
        return await rig.http.post(
            f"{URL}/directories", json={"path": "/tmp/new"}, headers={"Idempotency-Key": "k"}
        )

    assert_error(await make(), 502, "internal_error")
    host.handlers[host_frames.CreateDir] = good

    assert (await make()).status_code == 200


async def test_work_trees_are_listed(rig: Rig, host: FakeHost) -> None:
    trees = (
        host_frames.Worktree(path="/repo", branch="main", is_main=True, updated_at=12.5),
        host_frames.Worktree(path="/repo-worktrees/x", detached=True),
    )
    found = host_frames.ListWorktreesResult(request_id="", status="ok", worktrees=trees)
    host.handlers[host_frames.ListWorktrees] = answering(found)

    page = (await rig.http.get(f"{URL}/worktrees?path=/repo/sub%20dir")).json()

    assert page["data"] == [
        {"path": "/repo", "branch": "main", "is_main": True, "detached": False, "updated_at": 12},
        {"path": "/repo-worktrees/x", "branch": None, "is_main": False, "detached": True, "updated_at": None},
    ]
    assert (page["object"], page["last_id"], page["has_more"]) == ("list", "/repo-worktrees/x", False)
    assert host.asked_for(host_frames.ListWorktrees)[0].repo_path == "/repo/sub dir"


async def test_a_path_outside_of_a_repository_is_refused_in_gits_words(rig: Rig, host: FakeHost) -> None:
    found = host_frames.ListWorktreesResult(request_id="", status="")
    host.handlers[host_frames.ListWorktrees] = failing(found, "fatal: not a git repository")

    answer = await rig.http.get(f"{URL}/worktrees?path=/tmp")

    assert_error(answer, 400, "invalid_input", "fatal: not a git repository")


@pytest.mark.parametrize(
    ("query", "status"), [("", 422), ("?path=", 400), ("?path=%20", 400), ("?path=%00", 422)]
)
async def test_work_trees_need_a_path(rig: Rig, host: FakeHost, query: str, status: int) -> None:
    assert_error(await rig.http.get(f"{URL}/worktrees{query}"), status, "invalid_input")
    assert host.asked == []


async def test_models_are_offered_by_the_hosts_own_words(rig: Rig, host: FakeHost) -> None:
    model = {"id": "gpt", "displayName": "GPT", "isDefault": True}
    found = host_frames.ModelOptionsResult(
        request_id="", status="ok", models=(model, "junk"), routable_models=("gpt", 7), error="half of them"
    )
    host.handlers[host_frames.ModelOptions] = answering(found)

    answer = await rig.http.get(f"{URL}/harnesses/agents_sdk/model-options")

    assert answer.json() == {"models": [model], "routable_models": ["gpt"], "error": "half of them"}
    assert host.asked_for(host_frames.ModelOptions)[0].harness == "openai-agents"


async def test_a_host_probes_its_harnesses_when_asked(rig: Rig, host: FakeHost) -> None:
    readiness: dict[str, bool | str] = {"scripted": "needs-auth", "codex": True}
    found = host_frames.RefreshHarnessesResult(
        request_id="", status="ok", configured_harnesses=readiness, gateway_inference={"codex": False}
    )
    host.handlers[host_frames.RefreshHarnesses] = answering(found)

    answer = await rig.http.post(f"{URL}/harnesses/refresh")

    expected = {"configured_harnesses": readiness, "gateway_inference": {"codex": False}}
    assert answer.json() == expected
    shown = (await rig.http.get(URL)).json()
    assert {name: shown[name] for name in expected} == expected


async def test_a_host_that_probes_only_by_itself_says_so(rig: Rig) -> None:
    old = await rig.run(make_host, capabilities=["plugins"])

    answer = await rig.http.post(f"/v1/hosts/{old.public_id}/harnesses/refresh")

    assert_error(answer, 409, "refresh_unsupported")
