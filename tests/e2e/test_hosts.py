"""A real host, asked over its tunnel: its disk, its harnesses, and a runner for a session that had none."""

from pathlib import Path

import httpx

from tests.e2e.api import Api, of_type
from tests.e2e.program import wait_for
from tests.e2e.stack import Stack


def online_host(api: Api) -> str:
    """The id of the host."""
    [host] = [one for one in api.get("/v1/hosts")["hosts"] if one["status"] == "online"]
    return str(host["host_id"])


def test_a_person_finds_a_directory_and_launches_a_session_there(stack: Stack, tmp_path: Path) -> None:
    api = stack.api
    url = f"/v1/hosts/{online_host(api)}"
    (tmp_path / "one.txt").write_text("1")

    made = api.http.post(f"{url}/directories", json={"path": f"{tmp_path}/work"})
    listed = api.get(f"{url}/filesystem{tmp_path}", limit=1)
    rest = api.get(f"{url}/filesystem{tmp_path}", after=listed["last_id"])
    probed = api.http.post(f"{url}/harnesses/refresh")
    models = api.get(f"{url}/harnesses/scripted/model-options")

    assert made.json() == {"object": "directory", "path": f"{tmp_path}/work"}
    assert [(one["name"], one["bytes"]) for one in listed["data"]] == [("one.txt", 1)]
    assert listed["has_more"]
    assert ([one["type"] for one in rest["data"]], rest["has_more"]) == (["directory"], False)
    assert api.http.get(f"{url}/filesystem{tmp_path}/nowhere").status_code == httpx.codes.NOT_FOUND
    assert probed.json()["configured_harnesses"]["scripted"] is True
    assert [model["id"] for model in models["models"]] == ["scripted"]
    assert api.http.get(f"{url}/worktrees", params={"path": str(tmp_path)}).status_code == 400

    session = api.create(host_id=None)
    body = {"session_id": session["id"], "workspace": f"{tmp_path}/work"}
    launched = api.http.post(f"{url}/runners", json=body)
    assert launched.status_code == httpx.codes.OK, launched.text
    runner_id = launched.json()["runner_id"]
    again = api.http.post(f"{url}/runners", json=body)
    wait_for(
        lambda: api.get(f"/v1/runners/{runner_id}/status")["online"], seconds=30, what="the runner online"
    )
    stream = stack.stream(session["id"])
    api.message(session["id"], "Run the shell command: pwd")
    stream.wait_settled()

    assert again.status_code == httpx.codes.BAD_REQUEST
    [output] = of_type(api.items(session["id"]), "function_call_output")
    assert f"{tmp_path}/work" in output["output"]
    assert api.snapshot(session["id"])["runner_id"] == runner_id
    assert runner_id in [one["runner_id"] for one in api.get("/v1/runners")["data"]]
