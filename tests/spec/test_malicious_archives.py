"""A corpus of archives made to do harm: each is refused in words, quickly, and leaves nothing behind."""

import bz2
import gzip
import lzma
import random
import tarfile
from pathlib import Path

import pytest

from omnigent.spec import BundleError, bundle
from tests.spec.archives import COMPRESSIONS, header, member, padded, tar

AGENT = member("agent.yaml", b"name: tiny\nprompt: hello\nexecutor: {harness: scripted}\n")
END = bytes(1024)
SOUND = tar(AGENT)
NOISE = tar(AGENT, member("noise", random.Random(1).randbytes(20_000)))


def with_pax(**headers: str) -> bytes:
    return tar(AGENT, member("x", b"content", pax_headers=headers))


def pax(records: bytes, *, kind: bytes = b"x", times: int = 1) -> bytes:
    block = header(b"pax", kind, b"%011o\0" % len(records)) + padded(records)
    return block * times + header(b"x") + END


def flipped(data: bytes, position: int) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 1
    return bytes(changed)


def twice(first: str, second: str) -> bytes:
    return tar(AGENT, member(first, b"1"), member(second, b"2"))


def link(kind: bytes, target: str = "agent.yaml") -> bytes:
    return tar(AGENT, member("x", type=kind, linkname=target))


OUTSIDE, KIND, DAMAGED = "leads outside", "neither a regular file nor a directory", "damaged"
TWICE, CONTROL, SHORT, BEHIND = "appears twice", "control characters", "cut short", "behind its end"
HEADER = "extended header that is too long"
CORPUS: list[tuple[str, bytes, str]] = [
    *((f"path {name!r}", tar(AGENT, member(name, b"x")), OUTSIDE)
      for name in ("../x", "a/../../x", "a/..", "/etc/x", "//etc/x", "C:/x", "c:x", "a\\b", "..\\x",
                   "\\\\host\\x", "a/.. /x", ".../x", " /x")),
    ("absolute directory", tar(AGENT, member("/etc", type=tarfile.DIRTYPE)), OUTSIDE),
    ("path outside by pax", with_pax(path="../../x"), OUTSIDE),
    ("newline in a path", tar(AGENT, member("a\nb", b"x")), CONTROL),
    ("escape in a path", tar(AGENT, member("a\x1b[2Jb", b"x")), CONTROL),
    ("C1 control in a path", tar(AGENT, member("a\x9bb", b"x")), CONTROL),
    ("NUL in a pax path", with_pax(path="a\0b"), CONTROL),
    ("right-to-left override", tar(AGENT, member("a\u202etxt.exe", b"x")), CONTROL),
    ("zero-width blank", tar(AGENT, member("con\u200bfig.yaml", b"x")), CONTROL),
    ("byte order mark", tar(AGENT, member("\ufeffconfig.yaml", b"x")), CONTROL),
    ("line separator", tar(AGENT, member("a\u2028b", b"x")), CONTROL),
    ("latin-1 path", header(b"caf\xe9") + END, "not UTF-8"),
    ("lone surrogate by pax", pax(b"16 path=\xed\xa0\x80xxxx\n"), "not UTF-8"),
    ("long name", tar(AGENT, member("x" * 300, b"x")), "too long"),
    ("long name in bytes", tar(AGENT, member("文" * 100, b"x")), "too long"),
    ("long path", tar(AGENT, member("/".join(["d"] * 800), b"x")), "too long"),
    ("empty name", header(b"") + END, TWICE),
    ("root as a file", header(b".") + END, TWICE),
    ("symlink", link(tarfile.SYMTYPE), KIND),
    ("symlink outside", link(tarfile.SYMTYPE, "/etc/passwd"), KIND),
    ("hard link", link(tarfile.LNKTYPE), KIND),
    ("hard link outside", link(tarfile.LNKTYPE, "../../etc/passwd"), KIND),
    ("FIFO", link(tarfile.FIFOTYPE), KIND),
    ("character device", link(tarfile.CHRTYPE), KIND),
    ("block device", link(tarfile.BLKTYPE), KIND),
    ("GNU sparse file", header(b"x", b"S") + END, KIND),
    ("pax sparse file", with_pax(**{"GNU.sparse.map": "0,1", "GNU.sparse.size": "9999999999"}), KIND),
    ("GNU volume", header(b"x", b"V") + END, KIND),
    ("GNU multi-volume", header(b"x", b"M") + END, KIND),
    ("kind of nobody", header(b"x", b"Z") + END, KIND),
    ("duplicate", twice("a", "a"), TWICE),
    ("duplicate by dot", twice("a", "./a"), TWICE),
    ("duplicate by slashes", twice("a//b", "a/b"), TWICE),
    ("duplicate by case", twice("README.md", "readme.MD"), TWICE),
    ("duplicate by case of a directory", twice("A/x", "a/y"), TWICE),
    ("duplicate by composition", twice("caf\u00e9", "cafe\u0301"), TWICE),
    ("duplicate by sharp s", twice("stra\u00dfe", "STRASSE"), TWICE),
    ("file as directory", twice("a", "a/b"), "both a file and a directory"),
    ("directory as file", twice("a/b", "a"), TWICE),
    ("second document", twice("config.yaml", "CONFIG.YAML"), TWICE),
    ("announced size", header(b"x", size=b"77777777777\0") + padded(b"x") + END, "unpacks to more than"),
    ("binary size", header(b"x", size=b"\x80" + b"\xff" * 11) + END, "unpacks to more than"),
    ("negative binary size", header(b"x", size=b"\xff" * 12) + END, DAMAGED),
    ("negative size", header(b"x", size=b"-0000000010\0") + END, DAMAGED),
    ("size by pax", with_pax(size="99999999999999"), "unpacks to more than"),
    ("negative size by pax", with_pax(size="-1"), DAMAGED),
    ("size of many digits by pax", with_pax(size="9" * 6000), DAMAGED),
    ("size in foreign digits by pax", with_pax(size="\u0663"), DAMAGED),
    ("pax records without end", pax(b"1" * 60_000), DAMAGED),
    ("pax record of length zero", pax(b"0 path=x\n"), DAMAGED),
    ("pax record past its header", pax(b"99 path=x\n"), DAMAGED),
    ("pax record without value", pax(b"8 path\n\n"), DAMAGED),
    ("chain of pax headers", pax(b"12 path=abc\n", times=5000), HEADER),
    ("chain of global headers", pax(b"12 path=abc\n", kind=b"g", times=5000), HEADER),
    ("chain of long names", pax(b"abc\0", kind=b"L", times=5000), HEADER),
    ("pax header without a file",
     header(b"p", b"x", b"00000000014\0") + padded(b"12 path=abc\n") + END, DAMAGED),
    ("checksum of a header", flipped(SOUND, 0), DAMAGED),
    ("checksum of a later header", flipped(tar(AGENT, member("x")), 1024), DAMAGED),
    ("checksum of gzip", flipped(gzip.compress(SOUND), -8), DAMAGED),
    ("length of gzip", flipped(gzip.compress(SOUND), -4), DAMAGED),
    ("checksum of bzip2", flipped(bz2.compress(SOUND), -5), DAMAGED),
    ("checksum of xz", flipped(lzma.compress(SOUND), -40), DAMAGED),
    *((f"half of {name}", compress(NOISE)[: len(compress(NOISE)) // 2], "")
      for name, compress in COMPRESSIONS.items()),
    ("cut content", tar(member("a", b"x" * 5000))[:2000], SHORT),
    ("cut at an entry", SOUND[:1024], SHORT),
    ("nothing", b"", SHORT),
    ("text", b"hello", SHORT),
    ("long text", b"hello" * 1000, DAMAGED),
    ("zip", b"PK\x03\x04" + bytes(600), DAMAGED),
    ("gzip of nothing", gzip.compress(b""), SHORT),
    ("gzip of text", gzip.compress(b"hello" * 1000), DAMAGED),
    ("gzip in gzip", gzip.compress(gzip.compress(SOUND)), ""),
    ("garbage behind tar", SOUND + b"garbage", BEHIND),
    ("second archive behind the first", SOUND + SOUND, BEHIND),
    ("second archive in a member", gzip.compress(SOUND) + gzip.compress(SOUND), BEHIND),
    *((f"garbage behind {name}", compress(SOUND) + b"garbage", DAMAGED)
      for name, compress in COMPRESSIONS.items() if name != "plain"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "gist"), [pytest.param(*row, id=name) for name, *row in CORPUS])
def test_it_is_refused_and_leaves_nothing(
    data: bytes, gist: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    for reading in (bundle.unpack, bundle.inspect):
        with pytest.raises(BundleError) as caught:
            reading(data)
        assert gist in caught.value.fault
        assert str(tmp_path) not in str(caught.value)
        assert len(str(caught.value)) < 400

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a\nb", "x" * 300, "C:x"])
def test_what_could_not_be_read_is_not_packed(name: str) -> None:
    with pytest.raises(BundleError):
        bundle.pack({name: b"x"})
