"""Any small tree comes back from its archive as it was, whatever its texts and pointers are."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import Settings

from agents_app.models import Agent
from omnigent.protocol import items
from sessions_app.models import Item, Session
from sessions_app.process import Process
from sessions_app.services.sessions import delete_session
from tests.factories import add_item, label, make_child, make_session
from tests.policies_rest.log import append, new
from tests.sessions.archiving import add_file, exported, imported, lines, tree_ids, without_provenance

# What a careless replacement would stumble over, among letters of many scripts.
PIECES = (
    "$ref:",
    "$ref:i1$",
    "$ref::",
    "$",
    ":",
    "i1",
    '"',
    "\\",
    "\\u0041",
    "\n",
    "\u2028",
    "🎉",
    "é",
    "日本",
)
PLAIN = st.one_of(st.sampled_from(PIECES), st.text(st.characters(exclude_categories=["Cs"], min_codepoint=1)))
# Places in a text where the id of something of the tree goes: a session's, an item's, a file's.
POINTERS = st.tuples(st.sampled_from("sif"), st.integers(0, 20))
TEXTS = st.lists(st.one_of(PLAIN, POINTERS), max_size=6)
SESSIONS = st.lists(
    st.fixed_dictionaries(
        {
            "parent": st.integers(0, 5),
            "title": PLAIN,
            "labels": st.dictionaries(st.sampled_from(["a", "b\u00e9", "c d"]), PLAIN, max_size=2),
            "archived": st.booleans(),
            "cost": st.one_of(st.none(), st.floats(0, 1e6)),
            "files": st.lists(st.text("ab\n", max_size=3), max_size=2),
            "items": st.lists(
                st.tuples(st.sampled_from(["say", "call", "compact", "attach"]), TEXTS), max_size=4
            ),
            # What was decided may hold a NUL, which no item may.
            "decisions": st.lists(st.tuples(TEXTS, st.one_of(TEXTS, st.just(["a\0b"]))), max_size=3),
        }
    ),
    min_size=1,
    max_size=4,
)

Spec = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    """A storage of this test's own."""
    settings.MEDIA_ROOT = tmp_path / "blobs"
    return tmp_path / "blobs"


def build(agent: Agent, spec: Spec) -> Session:
    """The tree that a drawn specification means."""
    sessions: list[Session] = []
    known: dict[str, list[str]] = {"s": [], "i": [], "f": []}
    for number, wanted in enumerate(spec):
        title = f"{number}{wanted['title']}".replace("\0", "")[:60]
        if sessions:
            session = make_child(sessions[wanted["parent"] % len(sessions)], title)
        else:
            session = make_session(agent, title=title)
        usage = {"m": {"total_tokens": number, "total_cost_usd": wanted["cost"]}}
        Session.objects.filter(pk=session.pk).update(archived=wanted["archived"], usage_by_model=usage)
        label(session, **wanted["labels"])
        sessions.append(session)
        known["s"].append(session.public_id)
        for at, content in enumerate(wanted["files"]):
            known["f"].append(add_file(session, f"{at}.txt", content.encode()).public_id)
    for session, wanted in zip(sessions, spec, strict=True):
        for kind, text in wanted["items"]:
            item_id = add_item(session, item(kind, spelled(text, known), known))
            known["i"].append(item_id)
        for reason, text in wanted["decisions"]:
            ids = {"session_id": session.public_id, "root_session_id": sessions[0].public_id}
            append(new(reason=spelled(reason, known), input={"text": spelled(text, known)}, **ids), new())
    return sessions[0]


def spelled(text: list[Any], known: dict[str, list[str]]) -> str:
    """A drawn text with real ids in it."""
    return "".join(piece if isinstance(piece, str) else pointed(*piece, known) for piece in text)


def pointed(kind: str, number: int, known: dict[str, list[str]]) -> str:
    """The id of something, or of nothing."""
    ids = known[kind]
    return ids[number % len(ids)] if ids else "item_" + "0" * 32


def item(kind: str, text: str, known: dict[str, list[str]]) -> items.ItemData:
    """An item of a kind."""
    if kind == "call":
        return items.FunctionCall(name="t", arguments=text, call_id=text[:5], agent="helper")
    if kind == "compact":
        return items.Compaction(summary=text, last_item_id=pointed("i", 3, known))
    block = {"type": "input_file", "file_id": pointed("f", 1, known), "filename": text[:9]}
    content: list[Any] = [{"type": "input_text", "text": text}]
    return items.Message(role="user", content=[*content, block] if kind == "attach" else content)


def texts_of(session_pk: int) -> list[str]:
    """The stored text of a session's items."""
    return list(Item.objects.filter(session=session_pk).order_by("position").values_list("data", flat=True))


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(spec=SESSIONS)
async def test_an_import_of_an_export_exports_the_same(
    http: httpx.AsyncClient, process: Process, agent: Agent, spec: Spec
) -> None:
    root = await process.pool.run(build, agent, spec)

    first = await exported(http, root.public_id)
    ids = tree_ids(await imported(http, first))
    second = await exported(http, ids[0])

    assert without_provenance(second) == without_provenance(first)
    assert len(ids) == len(spec)
    assert len(lines(first, "decisions")) == sum(len(wanted["decisions"]) for wanted in spec)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.lists(PLAIN, max_size=8))
async def test_a_text_without_ids_comes_back_to_the_letter(
    http: httpx.AsyncClient, process: Process, agent: Agent, text: list[str]
) -> None:
    root = await process.pool.run(build, agent, [{**BARE, "items": [("say", text), ("call", text)]}])
    before = await process.pool.run(texts_of, root.pk)

    ids = tree_ids(await imported(http, await exported(http, root.public_id)))

    copy = await process.pool.run(lambda: Session.objects.get(public_id=ids[0]))
    assert await process.pool.run(texts_of, copy.pk) == before
    await process.pool.run(lambda: delete_session(session_pk=copy.pk))


BARE: dict[str, Any] = {
    "parent": 0,
    "title": "",
    "labels": {},
    "archived": False,
    "cost": None,
    "files": [],
    "decisions": [],
}
