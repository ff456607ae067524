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
