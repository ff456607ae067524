"""The smaller blocks of an agent document: skills filter, interaction, compaction, parameters, sharing."""

from typing import Any, Literal, cast

from omnigent.spec import harnesses
from omnigent.spec.reader import Reader
from omnigent.spec.types import AgentSpec, Compaction, Interaction, Param, Sharing

SHARING = ("none", "non-public", "public")
INPUT_MODALITIES = ("text", "image", "audio", "video", "file")
OUTPUT_MODALITIES = ("text", "image", "audio")


def host_skills(read: Reader) -> Literal["all", "none"] | tuple[str, ...]:
    """Which of the host's skills the agent may load."""
    written = read.data.get("skills")
    if written is None or written == "all":
        return "all"
    if written == "none":
        return "none"
    if isinstance(written, list) and all(isinstance(name, str) for name in written):
        return tuple(written)
    read.complain("skills", "all, none or a list of names")
    return "none"


def sharing(read: Reader) -> Sharing:
    """Whether the agent may share its session, and with whom."""
    return cast("Sharing", read.choice("agent_session_sharing", SHARING) or "none")


def interaction(read: Reader) -> Interaction:
    """The `interaction` block."""
    block = read.inside("interaction")
    modalities = block.inside("modalities")
    return Interaction(
        conversational=block.flag("conversational", default=True),
        input_modalities=_modalities(modalities, "input", INPUT_MODALITIES),
        output_modalities=_modalities(modalities, "output", OUTPUT_MODALITIES),
    )


def _modalities(read: Reader, side: str, known: tuple[str, ...]) -> tuple[str, ...]:
    given = read.texts(side)
    unknown = [item for item in given or () if item not in known]
    if unknown:
        read.complain(side, f"unsupported {unknown[0][:100]!r}, any of {', '.join(known)}")
    return given or ("text",)


def compaction(read: Reader, spec: AgentSpec) -> Compaction:
    """The `compaction` block, for harnesses whose loop is ours; every other keeps its own context."""
    default = Compaction()
    if read.data.get("compaction") is None:
        return default
    if spec.harness_id not in harnesses.OURS:
        read.complain("compaction", f"not supported by {spec.shown_harness}, which owns its context")
    block = read.inside("compaction")
    threshold = block.number("trigger_threshold", minimum=0)
    if threshold is not None and threshold > 1:
        block.complain("trigger_threshold", "must be in (0, 1]")
    window = block.integer("recent_window", minimum=0)
    return Compaction(
        trigger_threshold=default.trigger_threshold if threshold is None else threshold,
        recent_window=default.recent_window if window is None else window,
    )


def params(read: Reader) -> dict[str, Param]:
    """The `params` block; whatever an author writes there is taken."""
    written = read.data.get("params")
    return {name: _param(row) for name, row in written.items()} if isinstance(written, dict) else {}


def _param(row: Any) -> Param:
    if not isinstance(row, dict):
        return Param(default=row)
    read = Reader(row, "", [])
    return Param(type=read.text("type"), description=read.text("description"), default=row.get("default"))
