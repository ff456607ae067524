"""Run the tests part by part: what this machine can run, and a plain word about what it cannot."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from scripts import harnesses, interop
from scripts.programs import missing
from tests.bytecode import kept
from tests.services.postgres import private_postgres

ROOT = Path(__file__).resolve().parent.parent
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
    """One run of pytest and what it needs. Its tests are in `paths`; others are not even collected."""

    name: str
    about: str
    select: str
    paths: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    database: bool = False
    released: bool = False
    engines: bool = False
    waits: bool = False

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

    def arguments(self, report: Path) -> list[str]:
        """pytest's command line; the report is where skips and failures are counted."""
        cores = min(os.cpu_count() or 1, 4)
        # Most tests wait (for commits, loops, processes) about as much as they compute.
        workers = os.environ.get("WORKERS", str(cores + 1 if self.waits else cores))
        arguments = ["-m", self.select, f"--junitxml={report}", "-n", workers, *SLOWEST]
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
        paths=("tests/engines", "tests/e2e"),
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
        name="chaos",
        about="kill -9 at named and random points",
        select="chaos and not cluster",
        paths=("tests/chaos",),
        waits=True,
    ),
    Part(
        name="chaos-cluster",
        about="kill -9 with two replicas",
        select="chaos and cluster",
        paths=("tests/chaos",),
        waits=True,
        programs=CLUSTER,
    ),
    Part(
        name="interop",
        about="the released product's client",
        select="interop",
        paths=("tests/interop",),
        released=True,
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a part ended: its verdict, pytest's last line and the number of skipped tests."""

    part: Part
    passed: bool
    closing: str
    skipped: int
    seconds: float


def execute(part: Part, environ: Mapping[str, str], extra: list[str]) -> Outcome:
    """Run one part, passing its output through."""
    started = time.monotonic()
    print(f"\n--- {part.name}: {part.about}", flush=True)
    with tempfile.TemporaryDirectory(prefix="omnigent-tests-") as directory:
        report = Path(directory) / "report.xml"
        command = [sys.executable, "-m", "pytest", *part.arguments(report), *extra]
        closing = ""
        with subprocess.Popen(
            command, cwd=ROOT, env=dict(environ), stdout=subprocess.PIPE, text=True
        ) as process:
            for line in process.stdout or ():
                sys.stdout.write(line)
                sys.stdout.flush()
                closing = line.strip("= \n") or closing
        skipped = skips(report)
    passed = process.returncode == 0
    return Outcome(
        part=part, passed=passed, closing=closing, skipped=skipped, seconds=time.monotonic() - started
    )


def skips(report: Path) -> int:
    """How many tests the run skipped."""
    if not report.exists():
        return 0
    suites = ET.parse(report).getroot().iter("testsuite")
    return sum(int(suite.get("skipped", "0")) for suite in suites)


def run(part: Part, extra: list[str]) -> Outcome:
    """Run one part with the servers it needs around it."""
    # A machine that forbids to write bytecode would have each of many hundred processes compile everything.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environ |= kept()
    with ExitStack() as stack:
        if part.database:
            server = stack.enter_context(private_postgres())
            environ["TEST_DATABASE_URL"] = server.url("postgres")
        if part.released:
            interop.setup()
        return execute(part, environ, extra)


def report(outcomes: list[Outcome], left_out: list[Part], *, require_all: bool) -> bool:
    """Print pytest's closing lines and what was left out; say whether all is well."""
    print("\n--- summary")
    good = True
    for outcome in outcomes:
        bad_skips = require_all and outcome.skipped > 0
        good = good and outcome.passed and not bad_skips
        verdict = "passed" if outcome.passed and not bad_skips else "FAILED"
        note = f" ({outcome.skipped} skipped, and none may be)" if bad_skips else ""
        print(f"{outcome.part.name:<14}{verdict}  {outcome.closing}{note}")
    for part in left_out:
        print(f"{part.name:<14}left out: {part.about} {part.needs()}")
    return good and not (require_all and left_out)


def main() -> None:
    """Run the named parts, or all of them, `--repeat` times or until one fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(part.name for part in PARTS))
    parser.add_argument("--repeat", type=int, default=1)
    options, extra = parser.parse_known_args()
    names = {part.name for part in PARTS}
    unknown = [name for name in options.parts if name not in names]
    if unknown:
        parser.error(f"no part is called {unknown[0]}; there are: {', '.join(sorted(names))}")
    wanted = [part for part in PARTS if not options.parts or part.name in options.parts]
    left_out = [part for part in wanted if part.needs()]
    require_all = os.environ.get("REQUIRE_ALL", "") not in ("", "0")
    for round_number in range(1, options.repeat + 1):
        if options.repeat > 1:
            print(f"\n=== round {round_number} of {options.repeat}", flush=True)
        outcomes = [run(part, extra) for part in wanted if part not in left_out]
        if not report(outcomes, left_out, require_all=require_all):
            sys.exit(1)


if __name__ == "__main__":
    main()
