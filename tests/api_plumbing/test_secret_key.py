"""The secret key: made once, private, the same for all who race to make it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from omnigent.secret_key import FILE_NAME, secret_key


def test_the_key_is_generated_once_with_private_permissions(tmp_path: Path) -> None:
    first = secret_key(tmp_path)

    assert len(first) >= 50
    assert secret_key(tmp_path) == first
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_another_directory_gets_another_key(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    assert secret_key(tmp_path / "a") != secret_key(tmp_path / "b")


def test_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    barrier = Barrier(8)

    def start(_: int) -> str:
        barrier.wait()
        return secret_key(tmp_path)

    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(start, range(8)))

    assert len(keys) == 1
    assert keys == {(tmp_path / FILE_NAME).read_text()}
