"""The fuse itself: it spares everybody until its point comes, and then takes one process."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.fuse import FILE_VARIABLE, TAKEN_SUFFIX, Moment, Point
from tests.e2e.program import ROOT

PROGRAM = """
from tests.chaos.fuse import Moment, fuse_from_environment
fuse = fuse_from_environment()
fuse.reach(Moment.BEFORE_STATEMENT, "INSERT INTO a")
fuse.reach(Moment.AFTER_STATEMENT, "SELECT 1")
fuse.reach(Moment.AFTER_STATEMENT, "SELECT 2", "INSERT INTO a")
"""


def run(fuse: Path) -> int:
    """The exit code of a process that comes past three moments."""
    command = [sys.executable, "-c", PROGRAM]
    return subprocess.run(command, cwd=ROOT, env={FILE_VARIABLE: str(fuse)}, check=False).returncode


@pytest.mark.parametrize(
    ("point", "code"),
    [
        (Point(moment=Moment.AFTER_STATEMENT, match="^INSERT"), -signal.SIGKILL),
        (Point(moment=Moment.AFTER_COMMIT, match="^INSERT"), 0),
        (Point(moment=Moment.AFTER_STATEMENT, match="^DELETE"), 0),
    ],
    ids=["the point", "another moment", "another subject"],
)
def test_only_the_armed_point_kills(tmp_path: Path, point: Point, code: int) -> None:
    fuse = tmp_path / "fuse.point"
    fuse.write_text(point.dump())

    assert run(fuse) == code


def test_the_second_process_is_spared(tmp_path: Path) -> None:
    fuse = tmp_path / "fuse.point"
    fuse.write_text(Point(moment=Moment.AFTER_STATEMENT, match="INSERT").dump())

    assert [run(fuse), run(fuse)] == [-signal.SIGKILL, 0]
    assert fuse.with_suffix(TAKEN_SUFFIX).exists()
