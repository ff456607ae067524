"""The daemon's own log: on standard error and in a private file that is cut by size."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from omnigent.host.config import HostConfig, HostOptions, resolve
from omnigent.host.config_file import ConfigError
from omnigent.host.host_log import logging_to


@pytest.fixture
def config(tmp_path: Path) -> HostConfig:
    settled = resolve(HostOptions(server="http://h:1", data_dir=str(tmp_path)), {})
    settled.log_path.parent.mkdir(parents=True)
    return replace(settled, log_bytes=1000, log_files=2)


def test_the_log_is_cut_by_size_and_only_so_many_pieces_are_kept(
    config: HostConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    with logging_to(config):
        for number in range(100):
            logging.getLogger("omnigent.host").info("event", extra={"number": number})
    logging.getLogger("omnigent.host").info("after")

    pieces = sorted(path.name for path in config.log_path.parent.iterdir())
    assert pieces == ["host.log", "host.log.1", "host.log.2"]
    for path in config.log_path.parent.iterdir():
        assert path.stat().st_size <= 1000
        assert path.stat().st_mode & 0o777 == 0o600
    assert config.log_path.read_text().endswith("omnigent.host: event number=99\n")
    assert len(capsys.readouterr().err.splitlines()) == 100


def test_a_log_that_cannot_be_written_is_refused_in_words(config: HostConfig) -> None:
    config.log_path.mkdir()

    with pytest.raises(ConfigError, match="cannot write the log"), logging_to(config):
        pass
