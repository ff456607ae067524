"""docs/tunnel.md says what the code does."""

import json
import re
from pathlib import Path

import pytest

from omnigent.protocol import codec, frames, host_frames
from omnigent.protocol.closing import FATAL, IDLE_SHUTDOWN, CloseCode

TEXT = (Path(__file__).parents[2] / "docs" / "tunnel.md").read_text()
ROWS = [line for line in TEXT.splitlines() if line.startswith("| `")]
EXAMPLES = [
    line for block in re.findall(r"```json\n(.*?)```", TEXT, flags=re.DOTALL) for line in block.splitlines()
]
KINDS = {**frames.TABLE.classes, **host_frames.TABLE.classes}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_frame_and_its_members_are_documented(kind: str) -> None:
    row = next(row for row in ROWS if f"`{kind}`" in row)

    for _, key, _, _, required in codec.plan_of(KINDS[kind]).reads:
        assert re.search(rf"\b{key}\b", row) or key in ("request_id", "status", "error"), f"{kind}: {key}"
        if required and not kind.endswith("_result"):
            assert f"**{key}**" in row, f"{kind}: {key} is required"


@pytest.mark.parametrize("line", EXAMPLES, ids=[json.loads(line)["kind"] for line in EXAMPLES])
def test_every_example_is_a_frame_as_we_write_it(line: str) -> None:
    module = host_frames if '"kind":"host.' in line else frames

    assert module.render(module.parse(line)) == line


@pytest.mark.parametrize("code", CloseCode)
def test_every_close_code_is_documented(code: CloseCode) -> None:
    (row,) = [line for line in TEXT.splitlines() if re.match(rf"\| ([\d, ]+)?\b{code.value}\b", line)][-1:]

    assert ("runner exits with 1" in row) == (code in FATAL)


def test_names_of_the_extension_and_of_an_idle_leave_are_documented() -> None:
    for name in (
        frames.EVENT_ACK,
        frames.EVENT_ACK_HEADER,
        frames.TOKEN_HEADER,
        frames.ORIGIN,
        IDLE_SHUTDOWN,
    ):
        assert name in TEXT
