"""Why a daemon ended, in words that say what to do about it."""

from pathlib import Path

import pytest

from omnigent.host.app import host_rules
from omnigent.host.config import HostConfig, HostOptions, resolve
from omnigent.host.endings import words_for
from omnigent.host.runner_process import describe
from omnigent.link import LinkEnd


@pytest.fixture
def config(tmp_path: Path) -> HostConfig:
    return resolve(HostOptions(server="http://server:1", data_dir=str(tmp_path)), {})


@pytest.mark.parametrize(
    ("end", "words"),
    [
        pytest.param(
            LinkEnd(reason="r", exit_code=1, status=400, said='{"error":{"code":"x","message":"32 digits"}}'),
            "http://server:1 does not accept the host id ID (32 digits)",
            id="400",
        ),
        pytest.param(
            LinkEnd(reason="r", exit_code=77, status=403),
            "http://server:1 does not let this host in: it has no token. Set OMNIGENT_TOKEN, or token_file, "
            "to a personal access token with the scope host",
            id="403",
        ),
        pytest.param(
            LinkEnd(reason="r", exit_code=1, status=404, said="<html>"),
            "there is no Omnigent server at http://server:1 (HTTP 404); look at --server",
            id="404",
        ),
        pytest.param(
            LinkEnd(reason="r", exit_code=1, status=409, said="[1]"),
            "the host id ID belongs to another user of http://server:1. "
            "Use that user's token, or another --data-dir, which gets an id of its own",
            id="409",
        ),
        pytest.param(
            LinkEnd(reason="r", exit_code=1, code=4009, said="not yours"),
            "the host id ID belongs to another user of http://server:1 (not yours). "
            "Use that user's token, or another --data-dir, which gets an id of its own",
            id="4009",
        ),
        pytest.param(
            LinkEnd(reason="r", exit_code=1, code=4002, said="major 2 only"),
            "http://server:1 does not understand this host (major 2 only); upgrade the older of the two",
            id="4002",
        ),
        pytest.param(
            LinkEnd(reason="server unreachable: refused", exit_code=1),
            "http://server:1 cannot be used: server unreachable: refused",
            id="unreachable",
        ),
    ],
)
def test_an_ending_says_what_to_do(config: HostConfig, end: LinkEnd, words: str) -> None:
    assert words_for(end, config).replace(config.host_id, "ID") == words


def test_a_login_page_in_between_is_named(config: HostConfig) -> None:
    words = words_for(LinkEnd(reason="r", exit_code=77, status=302), config)

    assert words.startswith("http://server:1 sends this host to a login page")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "runner exited with status 0"),
        (77, "runner exited with status 77: the server did not let it sign in"),
        (-9, "runner was killed by SIGKILL"),
        (-64, "runner was killed by SIGRTMAX"),
        (-99, "runner was killed by signal 99"),
    ],
)
def test_the_end_of_a_runner_is_told_in_words(code: int, words: str) -> None:
    assert describe(code) == words


def test_only_a_server_on_this_machine_is_given_up() -> None:
    assert host_rules(is_local=True).refused_limit == 100
    assert host_rules(is_local=False).refused_limit is None
