"""What a type checker sees: both faces have the same, full signatures."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
from omnigent_client import OmnigentClient, SyncClient

async def awaited(client: OmnigentClient) -> None:
    reveal_type(await client.sessions.get("conv_1"))
    reveal_type(await client.send("conv_1", "Hello"))
    async for row in client.sessions.iter(limit=5):
        reveal_type(row)
    await client.sessions.fork("conv_1", titel="T")

def plain(client: SyncClient) -> None:
    reveal_type(client.sessions.get("conv_1"))
    reveal_type(client.send("conv_1", "Hello", within=1.5))
    for row in client.sessions.iter(limit=5):
        reveal_type(row)
    for event in client.stream("conv_1", after=3):
        reveal_type(event)
    reveal_type(client.policies.sessions.list("conv_1"))
    client.sessions.fork("conv_1", titel="T")
    client.sessions.list(order="up")
    client.sessions.get(7)
"""
REVEALED = (
    "omnigent_client.records.sessions.Session",
    "str",
    "omnigent_client.records.sessions.SessionRow",
    "omnigent_client.records.sessions.Session",
    "str",
    "omnigent_client.records.sessions.SessionRow",
    "omnigent_client.events.base.Event",
    "tuple[omnigent_client.records.agents.Policy, ...]",
)
REFUSED = (
    'Unexpected keyword argument "titel" for "fork"',
    'Unexpected keyword argument "titel"',
    'Argument "order" has incompatible type "Literal[\'up\']"',
    'Argument 1 has incompatible type "int"; expected "str"',
)


@pytest.mark.timeout(180)
def test_both_faces_show_their_types(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary"]

    done = subprocess.run(
        [*command, f"--cache-dir={tmp_path}/cache", "program.py"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},
    )

    revealed = [line.split('"')[1] for line in done.stdout.splitlines() if "Revealed type" in line]
    refused = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert revealed == list(REVEALED), done.stdout
    assert len(refused) == len(REFUSED), done.stdout
    assert all(words in line for line, words in zip(refused, REFUSED, strict=True)), done.stdout
