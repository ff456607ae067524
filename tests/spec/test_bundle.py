"""Bundles: packing is deterministic, reading takes every container and sees content alone."""

import gzip
import io
import random
import tarfile
from collections.abc import Callable

import pytest

from omnigent.spec import InvalidAgentError, bundle
from tests.spec.archives import COMPRESSIONS, archive, member, tar
from tests.spec.documents import config

AGENT = b"name: tiny\nprompt: hello\nexecutor: {harness: scripted}\n"
FILES = {"agent.yaml": AGENT, "skills/s/SKILL.md": b"---\nname: s\ndescription: d\n---\nbody"}


def test_packing_and_unpacking_gives_the_files_back() -> None:
    assert bundle.unpack(bundle.pack(FILES)) == FILES


def test_equal_files_pack_to_equal_bytes_whatever_their_order() -> None:
    assert bundle.pack(FILES) == bundle.pack(dict(reversed(FILES.items())))


def test_packed_bytes_tell_nothing_of_where_they_were_made() -> None:
    with tarfile.open(fileobj=gzip.GzipFile(fileobj=io.BytesIO(bundle.pack(FILES)))) as packed:
        rows = {(info.mode, info.mtime, info.uid, info.gid, info.uname, info.gname) for info in packed}

    assert rows == {(0o644, 0, 0, 0, "", "")}


def test_the_digest_ignores_metadata_order_and_container_and_sees_content() -> None:
    old = archive(
        member("skills/x.txt", b"x", mtime=9),
        member("agent.yaml", AGENT, mtime=5, mode=0o777, uname="somebody"),
    )
    plain = tar(member("./agent.yaml", AGENT), member("skills/x.txt", b"x"), form=tarfile.GNU_FORMAT)

    expected = bundle.digest({"agent.yaml": AGENT, "skills/x.txt": b"x"})
    assert bundle.inspect(old).digest == bundle.inspect(plain).digest == expected
    assert bundle.digest({"agent.yaml": AGENT + b"\n"}) != bundle.digest({"agent.yaml": AGENT})
    assert bundle.digest({"a": b"", "b": b"x"}) != bundle.digest({"a": b"x", "b": b""})


def test_a_bundle_is_read_in_one_pass() -> None:
    found = bundle.inspect(bundle.pack(FILES))

    assert found.spec.name == "tiny"
    assert [skill.name for skill in found.spec.skills] == ["s"]
    assert (found.entries, found.total_bytes) == (2, sum(map(len, FILES.values())))


@pytest.mark.parametrize("compress", COMPRESSIONS.values(), ids=COMPRESSIONS)
def test_every_container_is_read(compress: Callable[[bytes], bytes]) -> None:
    data = compress(tar(*(member(path, content) for path, content in FILES.items())))

    assert bundle.unpack(data) == FILES
    assert bundle.inspect(data).digest == bundle.digest(FILES)


@pytest.mark.parametrize("compression", ["gzip", "bzip2", "xz"])
def test_what_parallel_compressors_write_is_read(compression: str) -> None:
    data = tar(*(member(path, content) for path, content in FILES.items()))
    compress = COMPRESSIONS[compression]

    assert bundle.unpack(compress(data[:700]) + compress(data[700:]) + bytes(1024)) == FILES


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT], ids=["pax", "gnu"])
def test_long_and_foreign_names_are_read_in_both_dialects(form: int) -> None:
    files = {"d" * 120 + "/" + "f" * 150: b"x", "über/文件.txt": b"y", "e" * 100: b"z", "p/" * 70 + "q": b""}

    assert bundle.unpack(tar(*(member(path, content) for path, content in files.items()), form=form)) == files


def test_names_split_into_a_prefix_are_joined() -> None:
    path = "d" * 90 + "/" + "f" * 90

    assert bundle.unpack(tar(member(path, b"x"), form=tarfile.USTAR_FORMAT)) == {path: b"x"}


@pytest.mark.parametrize("seed", range(20))
def test_our_reader_and_the_standard_one_agree_on_sound_archives(seed: int) -> None:
    dice = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyzäß文"
    files = {
        f"{number}/" + "".join(dice.choices(letters, k=dice.randint(1, 80))): dice.randbytes(
            dice.randint(0, 3000)
        )
        for number in range(dice.randint(1, 12))
    }
    form = dice.choice([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
    times = {"mtime": dice.random() * 1e9, "uid": dice.randint(0, 2**24)}

    assert (
        bundle.unpack(tar(*(member(path, data, **times) for path, data in files.items()), form=form)) == files
    )


def test_directories_may_be_listed() -> None:
    directories = [member(name, type=tarfile.DIRTYPE) for name in (".", "./a", "./a/")]

    assert bundle.unpack(archive(*directories, member("./a/b", b"x"))) == {"a/b": b"x"}


def test_one_directory_around_everything_is_taken_off() -> None:
    wrapped = {f"my-agent/{path}": content for path, content in FILES.items()}

    found = bundle.inspect(bundle.pack(wrapped))

    assert bundle.unpack(bundle.pack(wrapped)) == FILES
    assert (found.spec, found.digest) == (bundle.spec_of(FILES), bundle.digest(FILES))


@pytest.mark.parametrize(
    "files",
    [
        {"agent/config.yaml": config("a"), "README.md": b""},
        {"agent/config.yaml": config("a"), "other/x": b""},
        {"one/two/config.yaml": config("a")},
        {"agent/readme.md": b""},
    ],
    ids=["file beside it", "directory beside it", "two around it", "no agent in it"],
)
def test_a_directory_that_is_no_wrapper_stays(files: dict[str, bytes]) -> None:
    assert bundle.unpack(bundle.pack(files)) == files
    with pytest.raises(InvalidAgentError, match=r"neither a config\.yaml"):
        bundle.read(bundle.pack(files))


@pytest.mark.parametrize(
    ("files", "gist"),
    [
        ({}, "neither a config.yaml"),
        ({"a.yaml": AGENT, "b.yml": AGENT}, "neither a config.yaml"),
        ({"agent.yaml": b"name: x\n"}, "needs a name and a prompt"),
        ({"agent.yaml": config("x")}, "needs a name and a prompt, and no spec_version"),
        ({"agent.yaml": b"- 1\n"}, "must be a mapping"),
        ({"agent.yaml": b"\xff\xfe"}, "not UTF-8"),
        ({"config.yaml": b"name: x\n"}, "spec_version: required field"),
        ({"config.yaml": b"name: x\nprompt: p\nexecutor: {config: {harness: pi}}\n"}, "spec_version: req"),
    ],
    ids=["nothing", "two", "no prompt", "version", "list", "encoding", "no version", "config"],
)  # fmt: skip
def test_a_bundle_that_is_no_agent_says_what_is_missing(files: dict[str, bytes], gist: str) -> None:
    with pytest.raises(InvalidAgentError) as caught:
        bundle.read(bundle.pack(files))
    assert gist in str(caught.value)


def test_config_yaml_counts_even_beside_other_documents() -> None:
    files = {"config.yaml": config("chosen"), "agent.yaml": AGENT, "notes.yml": b"a: ["}

    assert bundle.read(bundle.pack(files)).name == "chosen"


def test_hidden_files_do_not_count_as_agents() -> None:
    assert bundle.read(bundle.pack({"agent.yaml": AGENT, "._agent.yaml": b"junk"})).name == "tiny"
