"""Bundles: packing is deterministic, reading believes nothing."""

import gzip
import io
import tarfile
from collections.abc import Callable

import pytest

from omnigent.spec import BundleError, InvalidAgentError, bundle
from omnigent.spec.bundle import Limits

AGENT = b"name: tiny\nprompt: hello\nexecutor: {harness: scripted}\n"
FILES = {"agent.yaml": AGENT, "skills/s/SKILL.md": b"---\nname: s\ndescription: d\n---\nbody"}


def member(name: str, content: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, content


def archive(*members: tuple[tarfile.TarInfo, bytes], compress: bool = True) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return gzip.compress(buffer.getvalue()) if compress else buffer.getvalue()


def test_packing_and_unpacking_gives_the_files_back() -> None:
    assert bundle.unpack(bundle.pack(FILES)) == FILES


def test_equal_files_pack_to_equal_bytes_whatever_their_order() -> None:
    assert bundle.pack(FILES) == bundle.pack(dict(reversed(FILES.items())))


def test_the_digest_ignores_metadata_and_sees_content() -> None:
    old = archive(member("agent.yaml", AGENT, mtime=5, mode=0o777, uname="somebody"))
    plain = archive(member("./agent.yaml", AGENT), compress=False)

    assert bundle.inspect(old).digest == bundle.inspect(plain).digest == bundle.digest({"agent.yaml": AGENT})
    assert bundle.digest({"agent.yaml": AGENT + b"\n"}) != bundle.digest({"agent.yaml": AGENT})
    assert bundle.digest({"a": b"", "b": b"x"}) != bundle.digest({"a": b"x", "b": b""})


def test_a_bundle_is_read_in_one_pass() -> None:
    found = bundle.inspect(bundle.pack(FILES))

    assert found.spec.name == "tiny"
    assert [skill.name for skill in found.spec.skills] == ["s"]
    assert (found.entries, found.total_bytes) == (2, sum(map(len, FILES.values())))


@pytest.mark.parametrize(
    "name",
    ["../x", "a/../../x", "a/..", "/etc/x", "//etc/x", "C:/x", "c:x", "a\\b", "..\\x", "a\nb", "a\x01",
     "x" * 300, "/".join(["d"] * 800)],
)  # fmt: skip
def test_paths_that_lead_astray_are_refused(name: str) -> None:
    with pytest.raises(BundleError):
        bundle.unpack(archive(member("agent.yaml", AGENT), member(name, b"x")))
    with pytest.raises(BundleError):
        bundle.pack({name: b"x"})


def test_a_nul_in_an_extended_path_is_refused() -> None:
    with pytest.raises(BundleError):
        bundle.unpack(archive(member("short", b"x", pax_headers={"path": "a\x00b"})))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE]
)
def test_only_files_and_directories_are_accepted(kind: bytes) -> None:
    with pytest.raises(BundleError, match="neither a regular file nor a directory"):
        bundle.unpack(archive(member("agent.yaml", AGENT), member("x", type=kind, linkname="agent.yaml")))


@pytest.mark.parametrize(
    "names",
    [("a", "a"), ("a", "./a"), ("a", "a/b"), ("a/b", "a"), ("a//b", "a/b")],
)
def test_no_path_may_come_twice_or_be_file_and_directory(names: tuple[str, str]) -> None:
    with pytest.raises(BundleError):
        bundle.unpack(archive(*(member(name, b"x") for name in names)))


def test_directories_may_be_listed() -> None:
    directories = [member(name, type=tarfile.DIRTYPE) for name in (".", "./a", "./a/")]

    assert bundle.unpack(archive(*directories, member("./a/b", b"x"))) == {"a/b": b"x"}


def test_too_many_entries_are_refused() -> None:
    data = archive(*(member(f"f{number}") for number in range(11)))

    with pytest.raises(BundleError, match="more than 10 entries"):
        bundle.unpack(data, Limits(entries=10))
    assert len(bundle.unpack(data, Limits(entries=11))) == 11


def test_too_many_bytes_are_refused() -> None:
    data = archive(member("a", b"x" * 600), member("b", b"y" * 600))

    with pytest.raises(BundleError, match="more than 1000 bytes"):
        bundle.unpack(data, Limits(total_bytes=1000))


def test_a_bomb_is_refused_by_its_ratio() -> None:
    data = archive(member("zeros", bytes(30 * 1024 * 1024)))

    assert len(data) < 100_000
    with pytest.raises(BundleError, match="suspiciously well"):
        bundle.unpack(data)


def test_a_bomb_in_a_header_is_refused() -> None:
    data = archive(member("a", b"x", pax_headers={"comment": "x" * 30 * 1024 * 1024}))

    with pytest.raises(BundleError, match="suspiciously well"):
        bundle.unpack(data)


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _flipped(data: bytes) -> bytes:
    return data[:-8] + bytes([data[-8] ^ 1]) + data[-7:]


@pytest.mark.parametrize(
    "damage", [_cut, _flipped, lambda data: b"", lambda data: b"hello", lambda data: data[:10]]
)
def test_a_damaged_archive_is_refused_without_a_path_of_ours(damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(BundleError) as caught:
        bundle.read(damage(bundle.pack({**FILES, "noise": bytes(range(256)) * 64})))
    assert "/" not in str(caught.value).replace("a tar.gz", "")


def test_a_cut_plain_archive_is_refused() -> None:
    with pytest.raises(BundleError):
        bundle.unpack(archive(member("a", b"x" * 5000), compress=False)[:2000])


@pytest.mark.parametrize(
    ("files", "gist"),
    [
        ({}, "neither a config.yaml"),
        ({"a.yaml": AGENT, "b.yml": AGENT}, "neither a config.yaml"),
        ({"dir/agent.yaml": AGENT}, "neither a config.yaml"),
        ({"agent.yaml": b"name: x\n"}, "needs a name and a prompt"),
        ({"agent.yaml": b"- 1\n"}, "must be a mapping"),
        ({"agent.yaml": b"\xff\xfe"}, "not UTF-8"),
        ({"config.yaml": b""}, "must be a mapping"),
        ({"config.yaml": b"a: [\n"}, "config.yaml: "),
        ({"config.yaml": b"name: x\n"}, "spec_version: required field"),
    ],
)
def test_a_bundle_that_is_no_agent_says_what_is_missing(files: dict[str, bytes], gist: str) -> None:
    with pytest.raises(InvalidAgentError) as caught:
        bundle.read(bundle.pack(files))
    assert gist in str(caught.value)


def test_hidden_files_do_not_count_as_agents() -> None:
    assert bundle.read(bundle.pack({"agent.yaml": AGENT, "._agent.yaml": b"junk"})).name == "tiny"
