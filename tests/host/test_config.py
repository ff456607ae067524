"""Settling the configuration: what wins, what is refused, what stays."""

from pathlib import Path

import pytest

from omnigent.host.config import ConfigError, HostConfig, HostOptions, resolve


def config(tmp_path: Path, *, environ: dict[str, str] | None = None, **options: object) -> HostConfig:
    fields = {"server": "http://127.0.0.1:6767", "data_dir": str(tmp_path / "data"), **options}
    return resolve(HostOptions(**fields), environ or {})  # type: ignore[arg-type]  # options by name, of many types


@pytest.mark.parametrize(
    ("server", "tunnel"),
    [
        ("http://h:1", "ws://h:1/v1/hosts/ID/tunnel"),
        ("https://h/", "wss://h/v1/hosts/ID/tunnel"),
        ("https://h/base/", "wss://h/base/v1/hosts/ID/tunnel"),
        ("ws://h:1", "ws://h:1/v1/hosts/ID/tunnel"),
        ("localhost:6767", "ws://localhost:6767/v1/hosts/ID/tunnel"),
        ("http://[::1]:1", "ws://[::1]:1/v1/hosts/ID/tunnel"),
    ],
)
def test_the_tunnel_is_under_the_servers_base_path(tmp_path: Path, server: str, tunnel: str) -> None:
    settled = config(tmp_path, server=server)

    assert settled.tunnel_url == tunnel.replace("ID", settled.host_id)
    assert settled.server_url.startswith("http")


def test_the_id_is_minted_once_and_private(tmp_path: Path) -> None:
    first, second = config(tmp_path), config(tmp_path)
    other = config(tmp_path, data_dir=str(tmp_path / "other"))

    assert first.host_id == second.host_id != other.host_id
    assert (first.data_dir / "host_id").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in first.data_dir.iterdir()) == ["host_id"]


def test_options_win_over_the_environment_and_that_over_a_servers_data_dir(tmp_path: Path) -> None:
    environ = {"OMNIGENT_HOST_DATA_DIR": str(tmp_path / "env"), "DATA_DIR": str(tmp_path / "var")}

    assert config(tmp_path, environ=environ).data_dir == tmp_path / "data"
    assert config(tmp_path, environ=environ, data_dir="").data_dir == tmp_path / "env"
    del environ["OMNIGENT_HOST_DATA_DIR"]
    assert config(tmp_path, environ=environ, data_dir="").data_dir == tmp_path / "var" / "host"


def test_without_roots_everything_may_be_used_and_with_them_the_workspace_root_too(tmp_path: Path) -> None:
    root = str(tmp_path / "work")

    assert config(tmp_path, workspace_root=root).roots == ()
    limited = config(
        tmp_path, workspace_root=root, roots=("/srv",), environ={"OMNIGENT_HOST_ROOTS": "/opt:/mnt"}
    )
    assert limited.roots == (Path("/srv"), Path("/opt"), Path("/mnt"), tmp_path.resolve() / "work")


@pytest.mark.parametrize("name", ["  ", "a\nb", "x" * 201, "\udcff"])
def test_a_name_that_cannot_be_shown_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="--name"):
        config(tmp_path, name=name)


def test_a_data_dir_that_cannot_be_one_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match="as the data directory"):
        config(tmp_path, data_dir=str(tmp_path / "file"))


def test_the_token_is_not_shown(tmp_path: Path) -> None:
    settled = config(tmp_path, environ={"OMNIGENT_TOKEN": "canary"})

    assert settled.token == "canary"
    assert "canary" not in repr(settled)


def written(tmp_path: Path, text: str, name: str = "host.toml") -> Path:
    """A file of settings in the data directory."""
    path = tmp_path / "data" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_the_file_of_settings_gives_what_nobody_else_says(tmp_path: Path) -> None:
    written(
        tmp_path,
        """
        server = "https://omnigent.example.org"
        name = "desk"
        workspace_root = "/srv/work"
        roots = ["/srv/code"]
        passthrough = ["AWS_PROFILE", "CARGO_HOME"]
        log_mb = 1
        log_files = 2
        runner_log_mb = 50
        runner_log_days = 3.5
        """,
    )
    settled = config(tmp_path, server="")

    assert settled.server_url == "https://omnigent.example.org"
    assert (settled.name, settled.roots) == ("desk", (Path("/srv/code"), Path("/srv/work")))
    assert settled.environment({"HOME": "/h"}) == {
        "HOME": "/h",
        "OMNIGENT_RUNNER_ENV_PASSTHROUGH": "AWS_PROFILE CARGO_HOME",
    }
    assert (settled.log_bytes, settled.log_files) == (1024 * 1024, 2)
    assert (settled.runner_logs.total_bytes, settled.runner_logs.days) == (50 * 1024 * 1024, 3.5)


def test_an_option_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, 'server = "http://file:1"\nname = "file"\nlog_files = 1', name="other.toml")
    environ = {"OMNIGENT_HOST_CONFIG": str(path), "OMNIGENT_HOST_NAME": "env", "OMNIGENT_HOST_LOG_FILES": "7"}

    settled = config(tmp_path, environ=environ, server="http://option:1")

    assert (settled.server_url, settled.name, settled.log_files) == ("http://option:1", "env", 7)
    assert config(tmp_path, environ=environ, server="", name="option").name == "option"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("nmae = 'x'", "unknown setting 'nmae'; there are server, name,", id="unknown"),
        pytest.param("name = ", "is not TOML", id="syntax"),
        pytest.param("name = 3", "name in .* must be a text", id="type"),
        pytest.param(
            "roots = '/srv:/opt'\nlog_mb = 0", "log_mb in .* must be a number of at least 0.01", id="low"
        ),
        pytest.param("roots = [1]", "roots in .* must be a list of texts", id="list"),
        pytest.param("log_mb = nan", "log_mb in .* must be a number", id="nan"),
        pytest.param("log_mb = true", "log_mb in .* must be a number", id="boolean"),
    ],
)
def test_a_bad_file_of_settings_is_refused_in_words(tmp_path: Path, text: str, words: str) -> None:
    written(tmp_path, text)

    with pytest.raises(ConfigError, match=words):
        config(tmp_path)


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*nowhere\.toml: No such file"):
        config(tmp_path, config=str(tmp_path / "nowhere.toml"))


def test_without_a_server_the_operator_is_asked_for_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="which server"):
        config(tmp_path, server="")


def test_a_password_in_the_address_is_refused_without_showing_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must not hold a password") as caught:
        config(tmp_path, server="http://ann:canary@h")

    assert "canary" not in str(caught.value)


def test_a_token_may_stand_in_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    token = written(tmp_path, "pat-1\n", name="token")
    token.chmod(0o600)
    written(tmp_path, f"token_file = '{token}'")

    assert config(tmp_path).token == "pat-1"
    assert config(tmp_path, environ={"OMNIGENT_TOKEN": "pat-2"}).token == "pat-2"
    token.chmod(0o644)
    with pytest.raises(ConfigError, match="can be read by others; chmod 600 it"):
        config(tmp_path)


@pytest.mark.parametrize("same", ["http://localhost:6767/", "127.0.0.1:6767", "ws://[::1]:6767"])
def test_all_names_of_this_machine_share_a_lock(tmp_path: Path, same: str) -> None:
    assert config(tmp_path, server=same).lock_path == config(tmp_path).lock_path


@pytest.mark.parametrize("other", ["http://localhost:6768", "https://h", "http://127.0.0.1:6767/base"])
def test_other_servers_have_locks_and_logs_of_their_own(tmp_path: Path, other: str) -> None:
    mine, theirs = config(tmp_path), config(tmp_path, server=other)

    assert mine.host_id == theirs.host_id
    assert len({mine.lock_path, theirs.lock_path, mine.log_dir, theirs.log_dir}) == 4
