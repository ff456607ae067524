"""`python -m omnigent.server`: what it refuses, what it prints, what it leaves behind."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
INHERITED = ("PATH", "HOME", "LANG", "PYTHONPYCACHEPREFIX")


def environment(data_dir: Path, **env: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return kept | {"DATA_DIR": str(data_dir), "PORT": "0"} | env


def refused(data_dir: Path, *arguments: str, **env: str) -> str:
    """Run the server, which must refuse; its message."""
    done = subprocess.run(
        [sys.executable, "-m", "omnigent.server", *arguments],
        cwd=ROOT,
        env=environment(data_dir, **env),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@contextmanager
def running(data_dir: Path, *arguments: str, **env: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A migrated, serving server and its address."""
    with (data_dir / "stderr").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "omnigent.server", "--migrate", *arguments],
            cwd=ROOT,
            env=environment(data_dir, **env),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line.startswith("Omnigent is at "), (data_dir / "stderr").read_text()
            assert process.stdout.readline().startswith("Try: curl ")
            yield process, line.split()[-1]
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stdout.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_a_bind_beyond_the_machine_is_refused(tmp_path: Path, host: str) -> None:
    message = refused(tmp_path, "--host", host)

    assert host in message
    assert "127.0.0.1" in message


def test_a_bind_beyond_the_machine_by_variable_is_refused(tmp_path: Path) -> None:
    assert "0.0.0.0" in refused(tmp_path, HOST="0.0.0.0")


def test_bad_settings_are_named_with_their_hints(tmp_path: Path) -> None:
    message = refused(tmp_path, OMNIGENT_LEASE_SECONDS="soon", OMNIGENT_ALLOWED_HOSTS="*")

    assert "omnigent.E001: OMNIGENT_LEASE_SECONDS" in message
    assert "omnigent.E002" in message


def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        assert str(port) in refused(tmp_path, "--port", str(port))


def test_a_database_without_its_tables_is_refused_with_what_to_do(tmp_path: Path) -> None:
    assert "--migrate" in refused(tmp_path)


def test_a_database_that_does_not_answer_is_refused(tmp_path: Path) -> None:
    message = refused(tmp_path, "--migrate", DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")

    assert "DATABASE_URL" in message


@pytest.mark.parametrize("name", ["daphne", "uvicorn"])
def test_it_serves_locks_its_data_and_stops_cleanly(tmp_path: Path, name: str) -> None:
    with running(tmp_path, "--server", name) as (process, url):
        assert httpx.get(f"{url}/health").json() == {"status": "ok"}
        assert httpx.get(f"{url}/v1/me").json() == {"user_id": "local", "is_admin": True}
        assert httpx.get(f"{url}/v1/unknown").status_code == 404
        assert httpx.get(f"{url}/static/admin/css/base.css").status_code == 200
        assert httpx.get(f"{url}/admin/").status_code == 200

        assert str(process.pid) in refused(tmp_path)

        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600
    assert "Traceback" not in (tmp_path / "stderr").read_text()

    with running(tmp_path, "--server", name) as (_, url):
        assert httpx.get(f"{url}/health").status_code == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_host_ends_with_the_server(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path, "--with-host", HOME=str(tmp_path)) as (process, _):
        children = psutil.Process(process.pid).children()
        while not children:
            children = psutil.Process(process.pid).children()

        process.send_signal(number)
        process.wait(10)
        _, alive = psutil.wait_procs(children, 10)

    assert alive == []
