"""Runner logs: bounded on disk, bounded and clean in reports."""

import os
import time
from pathlib import Path

import pytest

from omnigent.host.runner_log import MAX_BYTES, TAIL_BYTES, TAIL_LINES, LogDirectory, LogLimits

DAY = 86400.0


def test_the_tail_is_bounded_in_lines_and_bytes(tmp_path: Path) -> None:
    log = LogDirectory(tmp_path).open("r1", ())
    os.write(log.descriptor, b"".join(b"line %d\n" % number for number in range(1000)))
    assert log.tail().splitlines() == [f"line {number}" for number in range(1000 - TAIL_LINES, 1000)]

    os.write(log.descriptor, "é".encode() * 10_000)
    log.close()
    assert len(log.tail().encode()) <= TAIL_BYTES
    assert set(log.tail()) == {"é"}


def test_secrets_are_cut_out_even_at_the_edge_of_the_window(tmp_path: Path) -> None:
    secret = "canary-" + "x" * 60
    log = LogDirectory(tmp_path).open("r1", (secret,))
    for padding in range(TAIL_BYTES - 80, TAIL_BYTES):
        os.truncate(log.path, 0)
        # The second occurrence shrinks when it is cut out, which must not pull the first one's rest in.
        os.write(log.descriptor, secret.encode() + b"\n" + b"y" * (padding - len(secret)) + secret.encode())
        assert "canary" not in log.tail()
        assert "xxxx" not in log.tail()
    log.close()


def test_a_log_that_grew_is_cut_and_goes_on(tmp_path: Path) -> None:
    directory = LogDirectory(tmp_path)
    log = directory.open("r1", ())
    os.write(log.descriptor, b"x" * (MAX_BYTES + 1))
    directory.rotate([log])
    os.write(log.descriptor, b"after\n")
    log.close()

    assert log.path.read_bytes() == b"after\n"
    assert log.path.with_suffix(".log.1").stat().st_size == MAX_BYTES + 1


def aged(directory: LogDirectory, name: str, *, size: int, days: float, now: float) -> Path:
    """The log of a runner that ended so long ago."""
    log = directory.open(name, ())
    os.write(log.descriptor, b"x" * size)
    log.close()
    os.utime(log.path, (now - days * DAY, now - days * DAY))
    return log.path


def test_old_logs_go_by_their_age(tmp_path: Path) -> None:
    now = time.time()
    directory = LogDirectory(tmp_path, LogLimits(days=2), now=lambda: now)
    young = aged(directory, "young", size=1, days=1.9, now=now)
    old = aged(directory, "old", size=1, days=2.1, now=now)
    living = directory.open("living", ())
    os.utime(living.path, (now - 9 * DAY, now - 9 * DAY))
    directory.rotate([living])
    living.close()

    assert young.exists()
    assert living.path.exists()
    assert not old.exists()


def test_of_too_much_the_oldest_goes(tmp_path: Path) -> None:
    now = time.time()
    directory = LogDirectory(tmp_path, LogLimits(total_bytes=100), now=lambda: now)
    paths = [aged(directory, f"r{days}", size=40, days=days, now=now) for days in range(4)]
    living = directory.open("living", ())
    os.write(living.descriptor, b"x" * 1000)
    directory.rotate([living])
    living.close()

    assert [path.exists() for path in paths] == [True, True, False, False]
    assert living.path.exists()


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer [REDACTED]"),
        ("via http://ann:pa55@proxy:3128/", "via http://[REDACTED]@proxy:3128/"),
        ("got eyJhbGciOiJI.eyJzdWIiOiJh.c2ln", "got [REDACTED]"),
        ("key sk-proj-0123456789abcdef given", "key [REDACTED] given"),
        ("serving http://127.0.0.1:6767/v1", "serving http://127.0.0.1:6767/v1"),
    ],
)
def test_credentials_that_the_host_never_saw_are_masked_too(tmp_path: Path, line: str, shown: str) -> None:
    log = LogDirectory(tmp_path).open("r1", ())
    os.write(log.descriptor, line.encode())
    log.close()

    assert log.tail() == shown


def test_a_strange_id_stays_in_the_directory(tmp_path: Path) -> None:
    log = LogDirectory(tmp_path / "logs").open("../../x", ())
    log.close()

    assert log.path.parent == tmp_path / "logs"
    assert log.path.stat().st_mode & 0o777 == 0o600
