"""docs/hosts.md: its units load, its file of settings is one, and its table has every setting."""

import plistlib
import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from omnigent.host.config import HostOptions, resolve
from omnigent.host.config_file import SETTINGS

TEXT = (Path(__file__).parents[2] / "docs" / "hosts.md").read_text()
INSTALLED = "/opt/omnigent"


def block(language: str) -> str:
    """The one example in this language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)
    return str(found)


def test_the_unit_starts_the_daemon_and_restarts_it_after_a_failure() -> None:
    unit = ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # keys of units have upper case letters
    unit.read_string(block("ini"))

    assert unit["Service"]["ExecStart"].startswith(f"{INSTALLED}/.venv/bin/python -m omnigent.host")
    assert unit["Service"]["Restart"] == "on-failure"
    assert "WantedBy" in unit["Install"]


def test_systemd_where_there_is_one_accepts_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        return
    unit = tmp_path / "omnigent-host.service"
    here = block("ini").replace(f"{INSTALLED}/.venv/bin/python", sys.executable)
    unit.write_text(here.replace(INSTALLED, str(tmp_path)))

    verified = subprocess.run(
        ["systemd-analyze", "--user", "verify", str(unit)],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
        timeout=60,
    )

    assert "omnigent-host.service" not in verified.stderr
    assert verified.returncode == 0, verified.stderr


def test_the_property_list_starts_the_daemon_and_restarts_it_after_a_failure() -> None:
    job = plistlib.loads(block("xml").encode())

    assert job["ProgramArguments"] == [f"{INSTALLED}/.venv/bin/python", "-m", "omnigent.host"]
    assert job["KeepAlive"] == {"SuccessfulExit": False}
    assert job["RunAtLoad"] is True


def test_the_file_of_settings_is_accepted(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("pat-1")
    token.chmod(0o600)
    (tmp_path / "host.toml").write_text(block("toml").replace("~/.omnigent/host/token", str(token)))

    settled = resolve(HostOptions(data_dir=str(tmp_path)), {})

    assert settled.name == "desk"
    assert settled.token == "pat-1"


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_stands_in_the_file_and_in_the_table(name: str) -> None:
    (row,) = [line for line in TEXT.splitlines() if line.startswith(f"| `{name}` |")]

    assert SETTINGS[name].variable in row
    assert re.search(rf"^{name} = ", block("toml"), flags=re.MULTILINE)
