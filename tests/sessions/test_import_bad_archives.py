"""Archives that somebody has cut, forged or made up: 400 in words, and nothing is stored."""

import gzip
import io
import tarfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from pytest_django import Settings

from agents_app.models import Agent
from agents_app.services import uploaded
from omnigent.spec import bundle
from sessions_app.models import Session
from sessions_app.portable import layout
from sessions_app.process import Process
from sessions_app.services import agent_rules
from tests.error_shape import assert_error
from tests.factories import make_session
from tests.sessions.archiving import (
    Change,
    Members,
    changed,
    edit,
    exported,
    imported,
    members,
    new_tree,
    packed,
    relisted,
)
from tests.sessions.uploading import on_disk, picture

DOCUMENT = b"name: mine\ndescription: d\nprompt: p\nexecutor:\n  harness: scripted\n"


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    """A storage of this test's own."""
    settings.MEDIA_ROOT = tmp_path / "blobs"
    return tmp_path / "blobs"


@pytest.fixture
async def archive(http: httpx.AsyncClient, process: Process, agent: Agent) -> bytes:
    """A whole archive, with an agent's bundle in it."""

    def build() -> None:
        own = uploaded(
            data=bundle.pack({"mine.yaml": DOCUMENT}), created_by="local", check=agent_rules.problems
        )
        own.save()
        Session.objects.filter(parent__isnull=False).update(agent=own)

    root = await new_tree(process, agent)
    await process.pool.run(build)
    return await exported(http, root.public_id)


async def refused(http: httpx.AsyncClient, process: Process, media: Path, archive: bytes) -> str:
    """Import what must be refused; gives the words."""
    before = (await process.pool.run(Session.objects.count), len(on_disk(media)))
    answer = await imported(http, archive)
    body = assert_error(answer, 400, "invalid_input")
    assert (await process.pool.run(Session.objects.count), len(on_disk(media))) == before
    message = str(body["error"]["message"])
    assert message.startswith("The archive is not valid: ")
    return message.removeprefix("The archive is not valid: ")


def replace(name: str, data: bytes) -> Change:
    """Another content of a member."""
    return lambda found: found.update({name: data})


def drop(name: str) -> Change:
    """Take a member out."""

    def change(found: Members) -> None:
        del found[name]

    return change


def first_blob(found: Members) -> str:
    """The name of some bytes."""
    return next(name for name in found if name.startswith("blobs/"))


def bundle_of(found: Members) -> str:
    """The name of the bundle."""
    return next(name for name in found if name.startswith("bundles/"))


def with_line(kind: str, text: bytes) -> Change:
    """The first line of a kind, replaced by this text."""

    def change(found: Members) -> None:
        name = f"{kind}/000001.jsonl"
        _, _, rest = found[name].partition(b"\n")
        found[name] = text + rest

    return change


def data_of(kind: str, number: int, path: str, value: Any) -> Change:
    """Set something inside the `data` of an item, or inside `settings` or `usage` of a session."""

    def change(found: Members) -> None:
        rows = [orjson.loads(line) for line in found[f"{kind}/000001.jsonl"].splitlines()]
        outer, _, inner = path.partition(".")
        edit(kind, number, **{outer: {**rows[number - 1][outer], inner: value}})(found)

    return change


def without_last_line(kind: str) -> Change:
    """Take the last line of a kind out."""

    def change(found: Members) -> None:
        name = f"{kind}/000001.jsonl"
        found[name] = b"".join(found[name].splitlines(keepends=True)[:-1])

    return change


SPOILED: list[tuple[str, Change, str]] = [
    ("no sessions", drop("sessions/000001.jsonl"), "files/000001.jsonl, line 1: session: s1 is not in"),
    ("no items", drop("items/000001.jsonl"), "manifest.json: counts.items: is 7, and there are 0"),
    ("no bundle", lambda found: drop(bundle_of(found))(found), "agents/000001.jsonl, line 2: bundle: "),
    ("no blob", lambda found: drop(first_blob(found))(found), "files/000001.jsonl, line"),
    ("gap in members", lambda f: f.update({"items/000003.jsonl": b""}), "items/000002.jsonl is missing"),
    ("not JSON", with_line("items", b"{nope}\n"), "items/000001.jsonl, line 1: "),
    ("not UTF-8", with_line("items", b'{"a":"\xff"}\n'), "items/000001.jsonl, line 1: is not UTF-8"),
    ("lone surrogate", with_line("items", b'{"a":"\\ud800"}\n'), "items/000001.jsonl, line 1: "),
    ("an array", with_line("items", b"[]\n"), "items/000001.jsonl, line 1: Input should be"),
    ("deep", with_line("items", b"[" * 2000 + b"]" * 2000 + b"\n"), "items/000001.jsonl, line 1: "),
    ("empty line", with_line("items", b"\n"), "items/000001.jsonl, line 1: "),
    ("unknown key", edit("sessions", 1, owner="me"), "sessions/000001.jsonl, line 1: owner: "),
    ("wrong type", edit("sessions", 2, archived="no"), "sessions/000001.jsonl, line 2: archived: "),
    ("long title", edit("sessions", 1, title="x" * 301), "sessions/000001.jsonl, line 1: title: "),
    ("bad time", edit("sessions", 1, created_at="2026-01-01"), "sessions/000001.jsonl, line 1: created_at: "),
    (
        "time beyond",
        edit("sessions", 1, created_at="9999-12-31T23:59:59.000000Z"),
        "sessions/000001.jsonl, line 1: created_at: ",
    ),
    ("NUL", edit("sessions", 1, title="a\0b"), "sessions/000001.jsonl, line 1: text must not contain NUL"),
    ("NUL in an item", data_of("items", 1, "data.role", "a\0"), "items/000001.jsonl, line 1: text must not"),
    ("second root", edit("sessions", 2, parent=None), "sessions/000001.jsonl, line 2: parent: "),
    ("own parent", edit("sessions", 2, parent="s2"), "sessions/000001.jsonl, line 2: parent: s2 is not"),
    ("later parent", edit("sessions", 2, parent="s4"), "sessions/000001.jsonl, line 2: parent: s4 is not"),
    ("root with a parent", edit("sessions", 1, parent="s1"), "sessions/000001.jsonl, line 1: parent: "),
    ("same title", edit("sessions", 3, title="helper:one"), "sessions/000001.jsonl, line 3: title: "),
    ("duplicate session", edit("sessions", 3, id="s2"), "sessions/000001.jsonl, line 3: id: must be s3"),
    ("unknown agent", edit("sessions", 1, agent="a9"), "sessions/000001.jsonl, line 1: agent: a9 is not"),
    ("unused agent", edit("sessions", 1, agent="a2"), "a1 is no session's agent"),
    ("server's label", edit("sessions", 1, labels={"omnigent.archived_at": "1"}), "session s1: label"),
    ("runner's label", edit("sessions", 1, labels={"cost_control.mode": "x"}), "session s1: label"),
    ("a pin", edit("sessions", 1, labels={"omnigent.pinned": "1"}), "session s1: label"),
    ("effort", data_of("sessions", 1, "settings.reasoning_effort", "huge"), "session s1: reasoning_effort"),
    ("model", data_of("sessions", 1, "settings.model_override", "../x"), "session s1: model_override"),
    ("harness", data_of("sessions", 1, "settings.harness_override", "x"), "session s1: settings.harness"),
    (
        "negative usage",
        data_of("sessions", 1, "usage.by_model", {"m": {"input_tokens": -1}}),
        "sessions/000001.jsonl, line 1: usage.by_model.m.input_tokens",
    ),
    (
        "huge usage",
        data_of("sessions", 1, "usage.context_tokens", 2**60),
        "sessions/000001.jsonl, line 1: usage.context_tokens",
    ),
    ("more items said", edit("sessions", 1, items=6), "items/000001.jsonl, line 6: session s1 has 5"),
    ("items of another", edit("items", 1, session="s2"), "items/000001.jsonl, line 1: session s1 has 0"),
    ("items out of order", edit("items", 7, session="s1"), "items/000001.jsonl, line 7: session: "),
    ("position gap", edit("items", 2, position=3), "items/000001.jsonl, line 2: position: must be 2"),
    ("duplicate item", edit("items", 2, id="i1"), "items/000001.jsonl, line 2: id: must be i2"),
    ("unknown session", edit("items", 7, session="s9"), "items/000001.jsonl, line 7: session: s9 is not"),
    (
        "unknown item type",
        edit("items", 1, type="song"),
        "items/000001.jsonl, line 1: data: unknown item type",
    ),
    ("bad item", data_of("items", 1, "data.role", "boss"), "items/000001.jsonl, line 1: data: role"),
    ("bad content", data_of("items", 1, "data.content", [1]), "items/000001.jsonl, line 1: data: content[0]"),
    ("item status", edit("items", 1, status="odd"), "items/000001.jsonl, line 1: status: "),
    (
        "dangling item",
        data_of("items", 5, "data.last_item_id", "$ref:i8$"),
        "items/000001.jsonl, line 5: i8 is named, which the archive does not hold",
    ),
    ("dangling file", data_of("items", 1, "data.model", "$ref:f4$"), "items/000001.jsonl, line 1: f4 is"),
    ("broken reference", data_of("items", 1, "data.model", "$ref:x"), "items/000001.jsonl, line 1: '$ref:'"),
    ("foreign comment", edit("comments", 1, session="s9"), "comments/000001.jsonl, line 1: session: s9"),
    ("climbing comment", edit("comments", 1, path="../a"), "comments/000001.jsonl, line 1: path: "),
    ("backward comment", edit("comments", 1, end_index=0), "comments/000001.jsonl, line 1: end_index: "),
    ("file elsewhere", edit("files", 1, session="s9"), "files/000001.jsonl, line 1: session: s9"),
    ("file of another size", edit("files", 1, bytes=9), "files/000001.jsonl, line 1: bytes: must be 8"),
    ("file name", edit("files", 1, filename="../notes.md"), "files/000001.jsonl, line 1: filename: "),
    ("file type", edit("files", 1, content_type="text/html"), "files/000001.jsonl, line 1: content_type: "),
    ("mislabelled", edit("files", 1, filename="a.png"), "files/000001.jsonl, line 1: f1: "),
    ("agent's digest", edit("agents", 2, digest="3" * 64), "agents/000001.jsonl, line 2: bundle: "),
    ("agent's name", edit("agents", 2, name="other"), "bundles/"),
    ("lines lost", without_last_line("items"), "session s4 has 0 items instead of 1"),
    ("policies are no objects", replace("policies/000001.jsonl", b"1\n"), "policies/000001.jsonl, line 1: "),
]


@pytest.mark.parametrize(
    ("change", "words"), [pytest.param(change, words, id=name) for name, change, words in SPOILED]
)
async def test_a_spoiled_document_is_refused_with_its_place(
    http: httpx.AsyncClient, process: Process, media: Path, archive: bytes, change: Change, words: str
) -> None:
    message = await refused(http, process, media, changed(archive, change))

    assert message.startswith(words)


def in_manifest(**values: Any) -> Change:
    """Set members of the manifest, behind everybody's back."""

    def change(found: Members) -> None:
        found["manifest.json"] = orjson.dumps({**orjson.loads(found["manifest.json"]), **values})

    return change


FORGED: list[tuple[str, Change, str]] = [
    ("no manifest", drop("manifest.json"), "manifest.json is missing"),
    ("manifest is no JSON", replace("manifest.json", b"{"), "manifest.json: "),
    ("manifest is no object", replace("manifest.json", b"[]"), "manifest.json: format must be"),
    ("another format", in_manifest(format="zip"), "manifest.json: format must be 'omnigent.session'"),
    (
        "a later version",
        in_manifest(version=2),
        "manifest.json: version 2 is not known; this server reads version 1",
    ),
    ("no version", in_manifest(version=None), "manifest.json: version None is not known"),
    ("version true", in_manifest(version=True), "manifest.json: version True is not known"),
    ("no members", in_manifest(members=[]), "agents/000001.jsonl is not listed in manifest.json"),
    (
        "more than there is",
        replace("items/000001.jsonl", b""),
        "items/000001.jsonl is not what manifest.json",
    ),
    ("something added", replace("comments/000002.jsonl", b""), "comments/000002.jsonl is not listed"),
    (
        "something lost",
        drop("items/000001.jsonl"),
        "'items/000001.jsonl' is listed in manifest.json and missing",
    ),
    ("counts", in_manifest(counts={"sessions": 0}), "manifest.json: counts."),
    ("unknown key", in_manifest(extra=1), "manifest.json: extra: "),
    (
        "other text of the same length",
        lambda found: found.update(
            {"items/000001.jsonl": found["items/000001.jsonl"].replace(b"deep", b"deap")}
        ),
        "items/000001.jsonl is not what manifest.json says of it",
    ),
    (
        "other bytes",
        lambda found: found.update({first_blob(found): b"?" * len(found[first_blob(found)])}),
        "blobs/",
    ),
]


@pytest.mark.parametrize(
    ("change", "words"), [pytest.param(change, words, id=name) for name, change, words in FORGED]
)
async def test_a_forged_listing_is_refused(
    http: httpx.AsyncClient, process: Process, media: Path, archive: bytes, change: Change, words: str
) -> None:
    found = members(archive)
    change(found)

    assert (await refused(http, process, media, packed(found))).startswith(words)


NAMES = (
    "../manifest.json",
    "/etc/passwd",
    "blobs/../../x",
    "items/1.jsonl",
    "blobs/" + "A" * 64,
    "blobs/" + "0" * 63,
    "items\\000001.jsonl",
    "manifest.json/x",
    "surprise",
    "a" * 99,
)


@pytest.mark.parametrize("name", NAMES)
async def test_a_member_of_another_name_is_never_unpacked(
    http: httpx.AsyncClient, process: Process, media: Path, archive: bytes, name: str
) -> None:
    message = await refused(http, process, media, changed(archive, replace(name, b"x")))

    assert "is no member that an archive of version 1 has" in message


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.DIRTYPE,
        tarfile.FIFOTYPE,
        tarfile.CHRTYPE,
        tarfile.GNUTYPE_SPARSE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.XHDTYPE,
    ],
    ids=["symlink", "hard link", "directory", "fifo", "device", "sparse", "long name", "extended header"],
)
async def test_a_member_that_is_no_plain_file_is_refused(
    http: httpx.AsyncClient, process: Process, media: Path, kind: bytes
) -> None:
    header = tarfile.TarInfo("items/000001.jsonl")
    header.type, header.linkname = kind, "/etc/passwd"
    raw = header.tobuf(tarfile.USTAR_FORMAT) + bytes(1024)

    message = await refused(http, process, media, gzip.compress(raw))

    assert message == "items/000001.jsonl is no plain file"


async def test_a_member_twice_is_refused(http: httpx.AsyncClient, process: Process, media: Path) -> None:
    header = tarfile.TarInfo("manifest.json").tobuf(tarfile.USTAR_FORMAT)

    message = await refused(http, process, media, gzip.compress(header * 2 + bytes(1024)))

    assert message == "manifest.json is there twice"


async def test_a_cut_archive_is_refused_wherever_it_is_cut(
    http: httpx.AsyncClient, process: Process, media: Path, archive: bytes
) -> None:
    raw = gzip.decompress(archive)
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        starts = [one.offset for one in tar]
    cuts = [
        gzip.compress(raw[:end]) for start in starts for end in (start, start + 100, start + 512, start + 513)
    ]
    cuts += [archive[:end] for end in range(0, len(archive), max(1, len(archive) // 40))]
    cuts += [archive[:-1], archive[:-8], archive[:-9], gzip.compress(raw[: -2 * 512])]

    for cut in cuts:
        await refused(http, process, media, cut)


async def test_what_stands_after_the_end_is_refused(
    http: httpx.AsyncClient, process: Process, media: Path, archive: bytes
) -> None:
    raw = gzip.decompress(archive)

    assert await refused(http, process, media, gzip.compress(raw + b"x")) == "something stands after its end"
    assert await refused(http, process, media, archive + b"garbage")
    assert await refused(http, process, media, archive + archive)


async def test_a_bomb_is_refused_before_it_has_unpacked(
    http: httpx.AsyncClient, process: Process, media: Path, settings: Settings
) -> None:
    settings.OMNIGENT_IMPORT_UNPACKED_LIMIT = 1024 * 1024
    header = tarfile.TarInfo("items/000001.jsonl")
    header.size = 2**33 - 1
    bomb = gzip.compress(header.tobuf(tarfile.USTAR_FORMAT) + bytes(8 * 1024 * 1024))
    zeros = gzip.compress(bytes(8 * 1024 * 1024))

    assert await refused(http, process, media, bomb) == "it unpacks to more than 1048576 bytes"
    assert await refused(http, process, media, zeros) == "it unpacks to more than 1048576 bytes"


async def test_a_negative_size_is_refused(http: httpx.AsyncClient, process: Process, media: Path) -> None:
    header = bytearray(tarfile.TarInfo("items/000001.jsonl").tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 12
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)

    message = await refused(http, process, media, gzip.compress(bytes(header) + bytes(1024)))

    assert message == "items/000001.jsonl is no plain file"


async def test_an_image_that_an_upload_would_not_store_is_refused(
    http: httpx.AsyncClient, process: Process, media: Path, archive: bytes
) -> None:
    def change(found: Members, data: bytes) -> None:
        name = layout.blob_member(sha256(data).hexdigest())
        found[name] = data
        edit("files", 3, sha256=name[6:], bytes=len(data), filename="a.png", content_type="image/png")(found)
        deep = layout.blob_member(sha256(b"deep").hexdigest())
        del found[deep]

    broken = picture()[:60]
    assert (
        await refused(http, process, media, changed(archive, lambda found: change(found, broken)))
    ).startswith("files/000001.jsonl, line 3: f3: The file's content is not what its name")
    large = picture(size=(3000, 10))
    assert (
        await refused(http, process, media, changed(archive, lambda found: change(found, large)))
    ) == "files/000001.jsonl, line 3: f3: the image is larger than 2048 pixels"


async def test_the_archive_as_it_was_is_taken(http: httpx.AsyncClient, archive: bytes) -> None:
    assert (await imported(http, packed(relisted(members(archive))))).status_code == 201


async def test_sessions_nested_too_deeply_are_refused(
    http: httpx.AsyncClient, process: Process, media: Path, agent: Agent
) -> None:
    session = await process.pool.run(make_session, agent)
    archive = await exported(http, session.public_id)

    def nest(found: Members) -> None:
        first = orjson.loads(found["sessions/000001.jsonl"])
        rows = [first] + [{**first, "id": f"s{at}", "parent": f"s{at - 1}"} for at in range(2, 35)]
        found["sessions/000001.jsonl"] = b"".join(orjson.dumps(row) + b"\n" for row in rows)

    message = await refused(http, process, media, changed(archive, nest))

    assert message == "sessions/000001.jsonl, line 34: parent: sessions are nested deeper than 32"
