"""Write the tables of harnesses in docs/agents.md: `python -m scripts.harness_matrix`.

What a harness can do comes from its capability record; what an engine does, from the scenarios of
tests/engines/conformance.py and from what its test file says that it lacks.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from inspect import getdoc, isclass
from pathlib import Path
from types import ModuleType
from typing import Any

from omnigent.runner.harnesses.rows import HARNESSES as RUN_HERE
from omnigent.spec.capabilities import HARNESSES

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "agents.md"
BEGIN, END = "<!-- harnesses -->\n", "<!-- end of harnesses -->"
FACTS = ("integration_mode", "elicitation", "resume", "model_family", "auth")
ABILITIES = ("subagents", "interrupt", "streaming", "steering", "images", "compaction")


@dataclass(frozen=True, kw_only=True)
class Engine:
    """One engine under test; `lacks` are reasons by scenario."""

    name: str
    lacks: Mapping[str, str]


def tables() -> str:
    """Both tables in Markdown."""
    return f"{capability_table()}\n{scenario_table(engines())}"


def written(document: str) -> str:
    """The document with the tables as they are now."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{tables()}\n{END}{after}"


def capability_table() -> str:
    """A row for each harness that our runner has."""
    heads = ("harness", *(name.replace("_", " ") for name in (*FACTS, *ABILITIES)))
    rows = []
    for name, info in HARNESSES.items():
        if name not in RUN_HERE:
            continue
        facts = [str(getattr(info.capabilities, fact)) for fact in FACTS]
        abilities = ["yes" if getattr(info.capabilities, ability) else "no" for ability in ABILITIES]
        rows.append((f"`{name}`", *facts, *abilities))
    return _table(heads, rows)


def scenario_table(found: Sequence[Engine]) -> str:
    """A row for each scenario; what an engine lacks has a number, with the reason below the table."""
    reasons = list(dict.fromkeys(reason for engine in found for reason in engine.lacks.values()))
    rows: list[tuple[str, ...]] = []
    for title, scenarios in _parts():
        rows.append((f"**{title}**", *("" for _ in found)))
        rows += [
            (scenario.replace("_", " "), *(_seen(engine, scenario, reasons) for engine in found))
            for scenario in scenarios
        ]
    notes = "".join(f"{number}. {reason}\n" for number, reason in enumerate(reasons, start=1))
    return _table(("scenario", *(engine.name for engine in found)), rows) + (f"\n{notes}" if notes else "")


def engines() -> list[Engine]:
    """Every engine that has a test file; the vendors' packages have to be installed to look."""
    base = import_module("tests.engines.conformance").EngineConformance
    found = []
    for path in sorted((ROOT / "tests" / "engines").glob("test_*.py")):
        module = import_module(f"tests.engines.{path.stem}")
        classes = [each for each in _tests(module) if issubclass(each, base)]
        name = path.stem.removeprefix("test_").replace("_", "-")
        found += [
            Engine(
                name=f"`{name}`" + (f" {_words(each.__name__)}" if len(classes) > 1 else ""),
                lacks=each.subject.lacks,
            )
            for each in classes
        ]
    return found


def _tests(module: ModuleType) -> Iterator[Any]:
    for name, value in vars(module).items():
        if isclass(value) and name.startswith("Test") and value.__module__ == module.__name__:
            yield value


def _words(class_name: str) -> str:
    spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in class_name)
    return spaced.removeprefix(" test").strip()


def _parts() -> Iterator[tuple[str, list[str]]]:
    """The parts of the conformance suite: what each is about, and its scenarios in their order."""
    base = import_module("tests.engines.conformance").EngineConformance
    for part in base.__bases__:
        names = [name.removeprefix("test_") for name in vars(part) if name.startswith("test_")]
        yield (getdoc(part) or part.__name__).partition("\n")[0].rstrip("."), names


def _seen(engine: Engine, scenario: str, reasons: Sequence[str]) -> str:
    reason = engine.lacks.get(scenario)
    return "yes" if reason is None else f"no ({reasons.index(reason) + 1})"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text()))
