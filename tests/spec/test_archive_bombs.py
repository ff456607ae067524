"""Archives made to fill memory or disk, or to keep a reader busy, stop at a bound."""

import bz2
import gzip
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from omnigent.spec import BundleError, bundle
from omnigent.spec.bundle import Limits
from tests.spec.archives import COMPRESSIONS, archive, member, tar

AGENT = member("agent.yaml", b"name: tiny\nprompt: hello\nexecutor: {harness: scripted}\n")
SOUND = tar(AGENT)
BIG = 30 * 1024 * 1024
GROWTH, PIECES = "suspiciously well", "too many pieces"
COMPRESSED = [name for name in COMPRESSIONS if name != "plain"]


def many(kind: bytes) -> bytes:
    return tar(*(member(f"f{number}", type=kind) for number in range(10_001)))


def in_a_header() -> bytes:
    return tar(member("a", pax_headers={"comment": "x" * BIG}))


def hungry() -> bytes:
    return lzma.compress(SOUND, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 512 * 1024 * 1024}])


BOMBS: list[tuple[str, Callable[[], bytes], str]] = [
    ("entries", lambda: many(tarfile.REGTYPE), "more than 10000 entries"),
    ("directories", lambda: many(tarfile.DIRTYPE), "more than 10000 entries"),
    ("gzip header", lambda: gzip.compress(in_a_header()), "extended header that is too long"),
    ("behind the end", lambda: gzip.compress(SOUND + bytes(BIG)), GROWTH),
    ("two members", lambda: gzip.compress(SOUND[:512]) + gzip.compress(SOUND[512:] + bytes(BIG)), GROWTH),
    ("empty gzip members", lambda: gzip.compress(b"") * 20_000, PIECES),
    ("empty bzip2 members", lambda: bz2.compress(b"") * 20_000, PIECES),
    ("empty xz members", lambda: lzma.compress(b"") * 20_000, PIECES),
    ("xz that asks for gigabytes", hungry, "damaged"),
]


@pytest.mark.parametrize(("make", "gist"), [pytest.param(*row, id=name) for name, *row in BOMBS])
def test_a_bomb_is_refused_and_leaves_nothing(
    make: Callable[[], bytes], gist: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    with pytest.raises(BundleError, match=gist):
        bundle.inspect(make())

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("compression", COMPRESSED)
def test_zeros_are_refused_by_their_ratio(compression: str) -> None:
    data = COMPRESSIONS[compression](tar(member("zeros", bytes(BIG))))

    assert len(data) < 100_000
    with pytest.raises(BundleError, match=GROWTH):
        bundle.unpack(data)


@pytest.mark.parametrize("compression", COMPRESSED)
def test_the_bound_on_bytes_holds_in_every_container(compression: str) -> None:
    data = COMPRESSIONS[compression](tar(member("a", bytes(600)), member("b", bytes(600))))

    with pytest.raises(BundleError, match="more than 1199 bytes"):
        bundle.unpack(data, Limits(total_bytes=1199))
    assert len(bundle.unpack(data, Limits(total_bytes=1200))) == 2


def test_the_bound_on_entries_is_exact() -> None:
    data = archive(*(member(f"f{number}") for number in range(11)))

    with pytest.raises(BundleError, match="more than 10 entries"):
        bundle.unpack(data, Limits(entries=10))
    assert len(bundle.unpack(data, Limits(entries=11))) == 11
