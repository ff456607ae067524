"""Run the tests part by part: what this machine can run, and a plain word about what it cannot."""

import argparse
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from scripts import interop
from scripts.test_parts import PARTS, Part
from tests.bytecode import kept
from tests.services.postgres import private_postgres

ROOT = Path(__file__).resolve().parent.parent
TESTS_FAILED = 1
MAX_UNSTABLE = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a part ended: its verdict, pytest's last line, the number of skipped tests.

    `unstable` names the tests that failed and then passed alone.
    """

    part: Part
    passed: bool
    closing: str
    skipped: int
    unstable: tuple[str, ...] = ()


def execute(part: Part, environ: Mapping[str, str], extra: list[str], *, forgives: bool) -> Outcome:
    """Run one part, passing its output through; a few failed tests are tried again, alone, if it forgives."""
    print(f"\n--- {part.name}: {part.about}", flush=True)
    with tempfile.TemporaryDirectory(prefix="omnigent-tests-") as directory:
        report = Path(directory) / "report.xml"
        code, closing = pytest([*part.arguments(report), *extra], environ)
        skipped, failed = skips(report), failures(report)
        if code != TESTS_FAILED or not forgives or not 0 < len(failed) <= MAX_UNSTABLE:
            return Outcome(part=part, passed=code == 0, closing=closing, skipped=skipped)
        print(f"--- {part.name}: {', '.join(failed)} once more, alone", flush=True)
        code, _ = pytest([*part.arguments(report, only=failed), *extra], environ)
    return Outcome(part=part, passed=code == 0, closing=closing, skipped=skipped, unstable=failed)


def pytest(arguments: list[str], environ: Mapping[str, str]) -> tuple[int, str]:
    """Run pytest, passing its output through; its exit code and last line."""
    closing = ""
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=ROOT,
        env=dict(environ),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        for line in process.stdout or ():
            sys.stdout.write(line)
            sys.stdout.flush()
            closing = line.strip("= \n") or closing
    return process.returncode, closing


def skips(report: Path) -> int:
    """How many tests the run skipped."""
    if not report.exists():
        return 0
    suites = ET.parse(report).getroot().iter("testsuite")
    return sum(int(suite.get("skipped", "0")) for suite in suites)


def failures(report: Path) -> tuple[str, ...]:
    """The tests that failed or broke, as pytest names them."""
    if not report.exists():
        return ()
    cases = ET.parse(report).getroot().iter("testcase")
    bad = (case for case in cases if case.find("failure") is not None or case.find("error") is not None)
    return tuple(dict.fromkeys(map(node_id, bad)))


def node_id(case: ET.Element) -> str:
    """`file::Class::test`; a file that could not be collected has itself as the only part."""
    file, name = case.get("file", ""), case.get("name", "")
    module = file.removesuffix(".py").replace("/", ".")
    inner = case.get("classname", "").removeprefix(module).strip(".")
    return "::".join(part for part in (file, *inner.split("."), name) if part)


def run(part: Part, extra: list[str], *, once: bool) -> Outcome:
    """Run one part with the servers it needs around it; rounds of many forgive nothing."""
    # A machine that forbids to write bytecode would have each of many hundred processes compile everything.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environ |= kept()
    with ExitStack() as stack:
        if part.database:
            server = stack.enter_context(private_postgres())
            environ["TEST_DATABASE_URL"] = server.url("postgres")
        if part.released:
            interop.setup()
        return execute(part, environ, extra, forgives=part.forgives and once)


def report(outcomes: list[Outcome], left_out: list[Part], *, require_all: bool) -> bool:
    """Print pytest's closing lines and what was left out; say whether all is well."""
    print("\n--- summary")
    good = True
    for outcome in outcomes:
        bad_skips = require_all and outcome.skipped > 0
        good = good and outcome.passed and not bad_skips
        verdict = "passed" if outcome.passed and not bad_skips else "FAILED"
        note = f" ({outcome.skipped} skipped, and none may be)" if bad_skips else ""
        print(f"{outcome.part.name:<18}{verdict}  {outcome.closing}{note}")
        for name in outcome.unstable:
            print(f"{'':<18}UNSTABLE  {name} failed, then {verdict} alone: a defect to find")
    for part in left_out:
        print(f"{part.name:<18}left out: {part.about} {part.needs()}")
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
        outcomes = [run(part, extra, once=options.repeat == 1) for part in wanted if part not in left_out]
        if not report(outcomes, left_out, require_all=require_all):
            sys.exit(1)


if __name__ == "__main__":
    main()
