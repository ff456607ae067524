"""The parts of the tests: what each selects, and what of this machine it needs."""

import os
from dataclasses import dataclass
from pathlib import Path

from scripts import harnesses, interop
from scripts.programs import missing

SLOWEST = ("--durations=10", "--durations-min=5")
PROCESSES = "e2e or cluster or browser or chaos or terminal or interop or engines or sandbox"
CORE = (
    "tests/api_plumbing",
    "tests/cli",
    "tests/client",
    "tests/core",
    "tests/host",
    "tests/model_server",
    "tests/net",
    "tests/outbound",
    "tests/policies",
    "tests/runner",
    "tests/services",
    "tests/spec",
    "tests/workspace",
    "tests/test_architecture.py",
    "tests/test_agent_docs.py",
    "tests/test_docs.py",
    "tests/test_policy_docs.py",
    "tests/accounts/test_cross_site.py",
    "tests/accounts/test_single_sign_on.py",
    "tests/inputs/test_envelope.py",
    "tests/policies_rest/test_redaction.py",
    "tests/sessions/test_bad_input.py",
    "tests/sessions/test_files_bad_input.py",
    "tests/sessions/test_import_bad_archives.py",
    "tests/tunnel/test_handshake.py",
)
"""What no database has a part in: pure code, what is refused at the door, servers of their own on SQLite."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One run of pytest and what it needs. Its tests are in `paths`; others are not even collected.

    `forgives`: a few failed tests may be tried once more, alone, and the summary names them. Where kill -9
    looks for rare losses nothing is forgiven.
    """

    name: str
    about: str
    select: str
    paths: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    database: bool = False
    released: bool = False
    engines: bool = False
    waits: bool = False
    forgives: bool = True

    def needs(self) -> str:
        """What this machine lacks for it, with the way to get it; empty when it can run."""
        packages = missing(self.programs)
        if packages:
            return f"needs {' '.join(packages)}; install with: make deps-system"
        if self.released and interop.find_python() is None:
            return "needs Python 3.12 or newer; name one with INTEROP_PYTHON"
        if self.engines and (lacking := harnesses.lacking()):
            return f"needs {' '.join(lacking)}; install with: make harnesses"
        return ""

    def arguments(self, report: Path, *, only: tuple[str, ...] = ()) -> list[str]:
        """pytest's command line; the report is where skips and failures are counted.

        With `only` these tests alone, one after the other.
        """
        cores = min(os.cpu_count() or 1, 4)
        # Most tests wait (for commits, loops, processes) about as much as they compute.
        workers = os.environ.get("WORKERS", str(cores + 1 if self.waits else cores))
        arguments = ["-m", self.select, f"--junitxml={report}", "-o", "junit_family=xunit1", *SLOWEST]
        if only:
            return [*arguments, "-n", "0", *only]
        arguments += ["-n", workers]
        if self.database:
            arguments += [f"--ignore={path}" for path in CORE]
        return [*arguments, *self.paths]


CLUSTER = ("initdb", "postgres", "redis-server", "bwrap", "tmux")
PARTS = (
    Part(name="unit", about="no process, SQLite", select=f"not ({PROCESSES} or postgres)", waits=True),
    Part(
        name="postgres",
        about="the database tests again, on PostgreSQL",
        select=f"not ({PROCESSES})",
        waits=True,
        programs=("initdb", "postgres"),
        database=True,
    ),
    Part(
        name="e2e",
        about="real processes: one server on Daphne, SQLite",
        select="e2e and not (cluster or browser or chaos or engines or sandbox or terminal)",
        paths=("tests/cli", "tests/client", "tests/contract", "tests/e2e"),
        waits=True,
    ),
    Part(
        name="cluster",
        about="real processes: two replicas on uvicorn, PostgreSQL, Redis",
        select="cluster and not browser and not chaos",
        paths=("tests/e2e", "tests/services"),
        waits=True,
        programs=CLUSTER,
    ),
    Part(
        name="engines",
        about="the vendors' own engines against a scripted model server",
        select="engines",
        paths=("tests/engines", "tests/runner", "tests/e2e"),
        programs=("tmux", "bwrap"),
        waits=True,
        engines=True,
    ),
    Part(
        name="sandbox",
        about="tools of agents confined by bubblewrap",
        select="sandbox and not terminal and not cluster",
        paths=("tests/runner", "tests/e2e"),
        programs=("bwrap",),
        waits=True,
    ),
    Part(
        name="terminal",
        about="the command line tool and the terminals of agents in tmux",
        select="terminal and not cluster",
        paths=("tests/cli", "tests/runner", "tests/e2e"),
        waits=True,
        programs=("tmux", "bwrap"),
    ),
    Part(
        name="browser",
        about="the dashboard in Chromium",
        select="browser",
        paths=("tests/browser",),
        programs=("chromium",),
    ),
    Part(
        name="failures",
        about="every process ended, hung and started again",
        select="e2e and not cluster",
        paths=("tests/failures",),
        waits=True,
    ),
    Part(
        name="failures-cluster",
        about="the same with two replicas",
        select="cluster",
        paths=("tests/failures",),
        waits=True,
        programs=CLUSTER,
    ),
    Part(
        name="chaos",
        about="kill -9 at named and random points",
        select="chaos and not cluster",
        paths=("tests/chaos",),
        waits=True,
        forgives=False,
    ),
    Part(
        name="chaos-cluster",
        about="kill -9 with two replicas",
        select="chaos and cluster",
        paths=("tests/chaos",),
        waits=True,
        programs=CLUSTER,
        forgives=False,
    ),
    Part(
        name="interop",
        about="the released client, host, runner and command line",
        select="interop and not cluster",
        paths=("tests/interop",),
        programs=("tmux",),
        released=True,
        waits=True,
    ),
    Part(
        name="interop-cluster",
        about="the same with two replicas",
        select="interop and cluster",
        paths=("tests/interop",),
        programs=CLUSTER,
        released=True,
        waits=True,
    ),
)
