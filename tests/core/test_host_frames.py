"""Frames of the host tunnel as literal JSON, both ways."""

import json

import pytest

from omnigent.protocol import host_frames as h
from omnigent.protocol.codec import FrameError
from omnigent.protocol.frames import Frame, Ping, Pong, UnknownKind

HELLO = """{"kind":"host.hello","version":"0.19.0","frame_protocol_version":1,"name":"vm",
  "runners":["runner_token_1"],"configured_harnesses":{"codex":true,"pi":"needs-auth"},
  "gateway_inference":{"codex":false},"interactive_shells":["bash"],"telemetry_opt_out":false,
  "installation_id":null,"capabilities":["refresh_harnesses"],"connection_id":"c"}"""

TABLE: list[tuple[str, Frame]] = [
    (
        HELLO,
        h.HostHello(
            version="0.19.0",
            frame_protocol_version=1,
            name="vm",
            runners=("runner_token_1",),
            configured_harnesses={"codex": True, "pi": "needs-auth"},
            gateway_inference={"codex": False},
            interactive_shells=("bash",),
            capabilities=("refresh_harnesses",),
            connection_id="c",
        ),
    ),
    (
        '{"kind":"host.launch_runner","request_id":"q","binding_token":"t0p","workspace":"~/w",'
        '"session_id":"conv_1","harness":"scripted"}',
        h.LaunchRunner(
            request_id="q", binding_token="t0p", workspace="~/w", session_id="conv_1", harness="scripted"
        ),
    ),
    (
        '{"kind":"host.launch_runner_result","request_id":"q","status":"failed","error":"no such directory",'
        '"runner_id":null,"error_code":"workspace_missing"}',
        h.LaunchRunnerResult(
            request_id="q", status="failed", error="no such directory", error_code="workspace_missing"
        ),
    ),
    (
        '{"kind":"host.stop_runner","request_id":"q","runner_id":"r"}',
        h.StopRunner(request_id="q", runner_id="r"),
    ),
    (
        '{"kind":"host.stop_runner_result","request_id":"q","status":"stopped","error":null}',
        h.StopRunnerResult(request_id="q", status="stopped"),
    ),
    (
        '{"kind":"host.runner_status","request_id":"q","runner_id":"r"}',
        h.RunnerStatus(request_id="q", runner_id="r"),
    ),
    (
        '{"kind":"host.runner_status_result","request_id":"q","status":"sign_in_pending","error":null}',
        h.RunnerStatusResult(request_id="q", status="sign_in_pending"),
    ),
    ('{"kind":"host.stat","request_id":"q","path":"/w"}', h.Stat(request_id="q", path="/w")),
    (
        '{"kind":"host.stat_result","request_id":"q","status":"ok","error":null,"exists":true,'
        '"type":"directory","canonical_path":"/real/w"}',
        h.StatResult(request_id="q", status="ok", exists=True, type="directory", canonical_path="/real/w"),
    ),
    (
        '{"kind":"host.list_dir","request_id":"q","path":"/w","limit":20,"after":"/w/a","before":null}',
        h.ListDir(request_id="q", path="/w", after="/w/a"),
    ),
    (
        '{"kind":"host.list_dir_result","request_id":"q","status":"ok","error":null,"entries":[{"name":"a",'
        '"path":"/w/a","type":"file","bytes":3,"modified_at":1795306411}],"has_more":true}',
        h.ListDirResult(
            request_id="q",
            status="ok",
            entries=(h.DirEntry(name="a", path="/w/a", type="file", bytes=3, modified_at=1795306411),),
            has_more=True,
        ),
    ),
    ('{"kind":"host.create_dir","request_id":"q","path":"~/o"}', h.CreateDir(request_id="q", path="~/o")),
    (
        '{"kind":"host.create_dir_result","request_id":"q","status":"ok","error":null,"path":"/home/o"}',
        h.CreateDirResult(request_id="q", status="ok", path="/home/o"),
    ),
    (
        '{"kind":"host.create_worktree","request_id":"q","repo_path":"/r","branch_name":"b","existing_branch":false}',
        h.CreateWorktree(request_id="q", repo_path="/r", branch_name="b"),
    ),
    (
        '{"kind":"host.create_worktree_result","request_id":"q","status":"ok","error":null,'
        '"worktree_path":"/r-worktrees/b","branch":"b","workspace":"/r-worktrees/b/sub"}',
        h.CreateWorktreeResult(
            request_id="q",
            status="ok",
            worktree_path="/r-worktrees/b",
            branch="b",
            workspace="/r-worktrees/b/sub",
        ),
    ),
    (
        '{"kind":"host.remove_worktree","request_id":"q","worktree_path":"/t","branch":"b","delete_branch":true}',
        h.RemoveWorktree(request_id="q", worktree_path="/t", branch="b", delete_branch=True),
    ),
    (
        '{"kind":"host.remove_worktree_result","request_id":"q","status":"failed","error":"locked"}',
        h.RemoveWorktreeResult(request_id="q", status="failed", error="locked"),
    ),
    (
        '{"kind":"host.list_worktrees","request_id":"q","repo_path":"/r","for_cleanup":false}',
        h.ListWorktrees(request_id="q", repo_path="/r"),
    ),
    (
        '{"kind":"host.list_worktrees_result","request_id":"q","status":"ok","error":null,"worktrees":'
        '[{"path":"/r","branch":"main","is_main":true,"detached":false,"updated_at":null}]}',
        h.ListWorktreesResult(
            request_id="q", status="ok", worktrees=(h.Worktree(path="/r", branch="main", is_main=True),)
        ),
    ),
    ('{"kind":"host.refresh_harnesses","request_id":"q"}', h.RefreshHarnesses(request_id="q")),
    (
        '{"kind":"host.refresh_harnesses_result","request_id":"q","status":"ok","error":null,'
        '"configured_harnesses":{"pi":false},"gateway_inference":null}',
        h.RefreshHarnessesResult(request_id="q", status="ok", configured_harnesses={"pi": False}),
    ),
    (
        '{"kind":"host.harness_readiness","configured_harnesses":{"pi":"binary-missing"},"gateway_inference":{}}',
        h.HarnessReadiness(configured_harnesses={"pi": "binary-missing"}, gateway_inference={}),
    ),
    (
        '{"kind":"host.runner_exited","runner_id":"r","error":"exit 1","had_connected":true}',
        h.RunnerExited(runner_id="r", error="exit 1", had_connected=True),
    ),
    (
        '{"kind":"host.connection_error","stage":"registration","error":"taken","retryable":false}',
        h.ConnectionError_(stage="registration", error="taken", retryable=False),
    ),
    (
        '{"kind":"host.fs_request","request_id":"q","op":"diff","workspace":"/w","session_id":"conv_1",'
        '"params":{"path":"a.txt"}}',
        h.FsRequest(request_id="q", op="diff", workspace="/w", session_id="conv_1", params={"path": "a.txt"}),
    ),
    (
        '{"kind":"host.fs_result","request_id":"q","status":"error","error":"gone","payload":null,'
        '"error_status":404,"error_code":"not_found"}',
        h.FsResult(request_id="q", status="error", error="gone", error_status=404, error_code="not_found"),
    ),
    (
        '{"kind":"host.model_options","request_id":"q","harness":"codex"}',
        h.ModelOptions(request_id="q", harness="codex"),
    ),
    (
        '{"kind":"host.model_options_result","request_id":"q","status":"ok","error":null,'
        '"models":[{"id":"m"},"n"],"routable_models":[]}',
        h.ModelOptionsResult(request_id="q", status="ok", models=({"id": "m"}, "n")),
    ),
    ('{"kind":"ping","ts":1}', Ping(ts=1)),
    ('{"kind":"pong","ts":1}', Pong(ts=1)),
    (
        '{"kind":"host.skills","request_id":"q","harness":"codex","path":"/w","session_id":"conv_1"}',
        h.Skills(request_id="q", harness="codex", path="/w", session_id="conv_1"),
    ),
    (
        '{"kind":"host.skills_result","request_id":"q","status":"ok","error":null,'
        '"skills":[{"name":"a","description":"b"}],"error_code":null}',
        h.SkillsResult(request_id="q", status="ok", skills=({"name": "a", "description": "b"},)),
    ),
    (
        '{"kind":"host.skill_content","request_id":"q","harness":"codex","name":"a"}',
        h.SkillContent(request_id="q", harness="codex", name="a"),
    ),
    (
        '{"kind":"host.skill_content_result","request_id":"q","status":"ok","error":null,'
        '"skill":{"name":"a","truncated":false}}',
        h.SkillContentResult(request_id="q", status="ok", skill={"name": "a", "truncated": False}),
    ),
    ('{"kind":"host.detect_credentials","request_id":"q"}', h.DetectCredentials(request_id="q")),
    (
        '{"kind":"host.detect_credentials_result","request_id":"q","status":"ok","error":null,'
        '"credentials":[{"family":"openai","source":"environment","env_var":"OPENAI_API_KEY"}]}',
        h.DetectCredentialsResult(
            request_id="q",
            credentials=({"family": "openai", "source": "environment", "env_var": "OPENAI_API_KEY"},),
        ),
    ),
    ('{"kind":"host.fs_write_request","request_id":"q"}', h.FsWriteRequest(request_id="q")),
    ('{"kind":"host.plugins","request_id":"q"}', h.Plugins(request_id="q")),
    (
        '{"kind":"host.plugins_result","request_id":"q","status":"ok","error":null,"plugins":[{"name":"p"}]}',
        h.PluginsResult(request_id="q", status="ok", plugins=({"name": "p"},)),
    ),
    ('{"kind":"host.mcp_servers","request_id":"q"}', h.McpServers(request_id="q")),
    (
        '{"kind":"host.mcp_servers_result","request_id":"q","status":"failed","error":"no","mcp_servers":[]}',
        h.McpServersResult(request_id="q", status="failed", error="no"),
    ),
    ('{"kind":"host.mcp_tools","request_id":"q"}', h.McpTools(request_id="q")),
    (
        '{"kind":"host.mcp_tools_result","request_id":"q","status":"failed","error":"no","tools":[],'
        '"connection":"unsupported","truncated":false}',
        h.McpToolsResult(request_id="q", status="failed", error="no"),
    ),
    ('{"kind":"host.harness_startup","request_id":"q"}', h.HarnessStartup(request_id="q")),
    (
        '{"kind":"host.harness_startup_result","request_id":"q","status":"failed","error":"no","startup":null}',
        h.HarnessStartupResult(request_id="q", status="failed", error="no"),
    ),
    ('{"kind":"host.install_harness","request_id":"q"}', h.InstallHarness(request_id="q")),
    (
        '{"kind":"host.install_harness_result","request_id":"q","status":"ok","error":null,'
        '"configured_harnesses":{"codex":true},"version":"1.2","gateway_inference":null}',
        h.InstallHarnessResult(
            request_id="q", status="ok", configured_harnesses={"codex": True}, version="1.2"
        ),
    ),
    ('{"kind":"host.store_secret","request_id":"q"}', h.StoreSecret(request_id="q")),
    (
        '{"kind":"host.store_secret_result","request_id":"q","status":"failed","error":"no",'
        '"configured_harnesses":null,"gateway_inference":null}',
        h.StoreSecretResult(request_id="q", status="failed", error="no"),
    ),
    ('{"kind":"host.import_local","request_id":"q"}', h.ImportLocal(request_id="q")),
    ('{"kind":"host.import_local_by_id","request_id":"q"}', h.ImportLocalById(request_id="q")),
    (
        '{"kind":"host.import_local_done","request_id":"q","status":"failed","error":"no","failed":0,'
        '"failures":[]}',
        h.ImportLocalDone(request_id="q", status="failed", error="no"),
    ),
]


@pytest.mark.parametrize(("wire", "frame"), TABLE, ids=[frame.kind for _, frame in TABLE])
def test_a_frame_and_its_json_are_the_same_both_ways(wire: str, frame: Frame) -> None:
    assert h.parse(wire) == frame
    assert json.loads(h.render(frame)) == json.loads(wire)


def test_the_table_covers_every_kind() -> None:
    assert {frame.kind for _, frame in TABLE} == set(h.TABLE.classes)


@pytest.mark.parametrize(
    ("wire", "frame"),
    [
        (
            '{"kind":"host.hello","version":"1","frame_protocol_version":1,"name":"x","traceparent":"00-1"}',
            h.HostHello(version="1", frame_protocol_version=1, name="x"),
        ),
        (
            '{"kind":"host.hello","version":"1","frame_protocol_version":1,"name":"x","configured_harnesses":null}',
            h.HostHello(version="1", frame_protocol_version=1, name="x"),
        ),
        (
            '{"kind":"host.launch_runner_result","request_id":"q","status":"launched","runner_id":"r"}',
            h.LaunchRunnerResult(request_id="q", status="launched", runner_id="r"),
        ),
        (
            '{"kind":"host.list_dir_result","request_id":"q","status":"ok","error":"missing","entries":null}',
            h.ListDirResult(request_id="q", status="ok", error="missing"),
        ),
        ('{"kind":"host.runner_exited","runner_id":"r"}', h.RunnerExited(runner_id="r")),
    ],
)
def test_optional_members_may_be_absent_null_or_new(wire: str, frame: Frame) -> None:
    assert h.parse(wire) == frame


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        ('{"kind":"host.hello","version":"1","frame_protocol_version":"1","name":"x"}', "must be an integer"),
        ('{"kind":"host.hello","version":"1","frame_protocol_version":1}', "host.hello: name: is required"),
        ('{"kind":"host.launch_runner","request_id":"q","workspace":"/w"}', "binding_token: is required"),
        ('{"kind":"host.stat_result","status":"ok"}', "request_id: is required"),
        ('{"kind":"host.stat_result","request_id":"q"}', "status: is required"),
        (
            '{"kind":"host.list_dir_result","request_id":"q","status":"ok","entries":[{"name":"a"}]}',
            "entries: path: is required",
        ),
        ('{"kind":"host.harness_readiness","configured_harnesses":["pi"]}', "must be an object"),
        (
            '{"kind":"host.harness_readiness","configured_harnesses":{"pi":3}}',
            "must be a boolean or a string",
        ),
    ],
)
def test_a_bad_frame_is_refused_in_words(wire: str, words: str) -> None:
    with pytest.raises(FrameError) as caught:
        h.parse(wire)

    assert words in str(caught.value)


@pytest.mark.parametrize("kind", ["host.import_local_session", "request", "hello"])
def test_kinds_of_later_versions_and_of_the_other_tunnel_are_unknown(kind: str) -> None:
    with pytest.raises(UnknownKind):
        h.parse(json.dumps({"kind": kind}))


def test_a_binding_token_is_not_in_the_repr() -> None:
    assert "t0p" not in repr(h.LaunchRunner(request_id="q", binding_token="t0p", workspace="/"))
