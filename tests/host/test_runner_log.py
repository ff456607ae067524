"""Runner logs: bounded on disk, bounded and clean in reports."""

import os
from pathlib import Path

from omnigent.host.runner_log import MAX_BYTES, MAX_FILES, TAIL_BYTES, TAIL_LINES, LogDirectory


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


def test_only_so_many_old_logs_are_kept_and_none_in_use_is_dropped(tmp_path: Path) -> None:
    directory = LogDirectory(tmp_path)
    logs = [directory.open(f"r{number}", ()) for number in range(MAX_FILES + 5)]
    for age, log in enumerate(logs):
        os.utime(log.path, (age, age))
        log.close()
    directory.rotate(logs[:1])

    left = {path.name for path in tmp_path.iterdir()}
    assert len(left) == MAX_FILES + 1
    assert "r0.log" in left
    assert "r1.log" not in left


def test_a_strange_id_stays_in_the_directory(tmp_path: Path) -> None:
    log = LogDirectory(tmp_path / "logs").open("../../x", ())
    log.close()

    assert log.path.parent == tmp_path / "logs"
    assert log.path.stat().st_mode & 0o777 == 0o600
