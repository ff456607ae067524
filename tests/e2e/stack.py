"""A whole installation of real processes: servers, stores, a host, and a proxy in front of each road."""

import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.bytecode import kept
from tests.e2e.api import Api
from tests.e2e.program import Program, describe, processes_at_home, python, runs, wait_for
from tests.e2e.stream import Stream
from tests.net.background import BackgroundProxy
from tests.services.postgres import PostgresServer
from tests.services.processes import free_port
from tests.services.redis import RedisServer

READY_SECONDS = 40
ENDED_SECONDS = 15
HOST_TUNNEL = b"tunnel_open kind=host"

# Short enough that a test can wait for a loss to be noticed, long enough for a busy machine.
DURATIONS: Mapping[str, str] = {
    "OMNIGENT_LEASE_SECONDS": "6",
    "OMNIGENT_LEASE_STORE_SECONDS": "0.5",
    "OMNIGENT_RECONCILE_SECONDS": "0.5",
    "OMNIGENT_OUTBOX_SECONDS": "0.5",
    "OMNIGENT_LAUNCH_SECONDS": "15",
    "OMNIGENT_TUNNEL_PING_SECONDS": "1",
    "OMNIGENT_TUNNEL_SILENCE_SECONDS": "5",
    "OMNIGENT_HEARTBEAT_SECONDS": "2",
    # Bells bring changes; a rescan would hide that one was not rung.
    "OMNIGENT_UPDATES_RESCAN_SECONDS": "300",
}


SignIn = Callable[[str], str]
"""From a server's address to an access token of its first person."""


@dataclass(frozen=True, kw_only=True)
class Flavour:
    """One way to run the product: which server program, on which stores, how many of it, and who asks it."""

    name: str
    server: str
    replicas: int
    postgres: PostgresServer | None = None
    redis: RedisServer | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    sign_in: SignIn | None = None


class Stack:
    """The processes of one installation: clients dial `url` or a replica, host and runners dial `tunnels`."""

    def __init__(
        self,
        *,
        directory: Path,
        servers: list[Program],
        ports: list[int],
        clients: BackgroundProxy,
        tunnels: BackgroundProxy,
        host: Program,
    ) -> None:
        self.directory = directory
        self.home = directory / "home"
        self.servers = servers
        self.ports = ports
        self.clients = clients
        self.tunnels = tunnels
        self.host = host
        self.api = Api(clients.url)
        self.token = ""
        self._streams: list[Stream] = []
        self._apis = [self.api]

    def identify(self, token: str) -> str:
        """Let the client carry an access token from now on; the token."""
        self.token = token
        self.api.http.headers["Authorization"] = f"Bearer {token}"
        return token

    @property
    def url(self) -> str:
        """The address in front of the replicas."""
        return self.clients.url

    def replica_url(self, index: int) -> str:
        """One replica's own address."""
        return f"http://127.0.0.1:{self.ports[index]}"

    def api_of(self, index: int) -> Api:
        """A client of one replica."""
        api = Api(self.replica_url(index))
        self._apis.append(api)
        return api

    def stream(self, session_id: str, *, url: str | None = None, after: int | None = None) -> Stream:
        """A reconnecting reader of a session, connected; closed with the stack."""
        stream = Stream(url or self.url, session_id, after=after, token=self.token)
        self._streams.append(stream)
        stream.wait_connected()
        return stream

    def open(self, stream: Stream) -> Stream:
        """Close a stream made by the test with the stack."""
        self._streams.append(stream)
        return stream

    def start_server(self, index: int, *, wait: bool = True, **environ: str) -> None:
        """Start a replica, again on its port."""
        self.servers[index].start(**environ)
        if wait:
            self.wait_server(index)

    def wait_server(self, index: int) -> None:
        """Block until a replica answers."""
        server = self.servers[index]

        def answers() -> bool:
            assert server.is_running, f"{server.name} ended with {server.exit_code}\n{server.log()}"
            return is_healthy(self.replica_url(index))

        wait_for(answers, seconds=READY_SECONDS, what=f"{server.name} ready")

    def wait_host(self) -> None:
        """Block until a host is online."""
        wait_for(self.has_host, seconds=READY_SECONDS, what="a host online", every=0.1)

    def wait_runner(self, runner_id: str) -> None:
        """Block until a runner is online."""
        wait_for(
            lambda: self.api.get(f"/v1/runners/{runner_id}/status")["online"],
            seconds=READY_SECONDS,
            what="the runner online",
        )

    def has_host(self) -> bool:
        """Whether the server knows a host that is online."""
        return any(host["status"] == "online" for host in self.api.get("/v1/hosts")["hosts"])

    def move_host(self, index: int) -> None:
        """Cut every tunnel, and return when the host holds one to this replica."""
        server = self.servers[index]
        before = server.log_path.stat().st_size
        self.tunnels.route_to(index)
        self.tunnels.kill_connections()
        wait_for(
            lambda: HOST_TUNNEL in server.log_path.read_bytes()[before:],
            seconds=READY_SECONDS,
            what=f"the host's tunnel to {server.name}",
        )
        self.wait_host()

    def kill_host(self) -> None:
        """kill -9 of the host; returns when the server has noticed."""
        self.host.kill()
        wait_for(lambda: not self.has_host(), seconds=10, what="the host offline", every=0.05)

    def runner_pids(self) -> list[int]:
        """The runner processes that live, by id."""
        return [process.pid for process in processes_at_home(self.home) if runs(process, "omnigent.runner")]

    def wait_no_runners(self, seconds: float) -> None:
        """Block until every runner has ended."""
        wait_for(lambda: not self.runner_pids(), seconds=seconds, what="runners ended", every=0.1)

    def logs(self) -> str:
        """What every process printed last."""
        return "\n".join(program.log() for program in [*self.servers, self.host])

    def history(self) -> str:
        """What every open stream has received, and what the servers say of its session now."""
        known: dict[str, str] = {}
        for stream in self._streams:
            if stream.session_id not in known:
                known[stream.session_id] = self._stored(stream.session_id)
        streams = [f"--- {stream.session_id}, received\n{stream.history()}" for stream in self._streams]
        return "\n".join([*known.values(), *streams])

    def _stored(self, session_id: str) -> str:
        try:
            session, items = self.api.snapshot(session_id, include_items="false"), self.api.items(session_id)
        except (httpx.HTTPError, AssertionError) as error:
            return f"--- {session_id}, not to be had: {error}"
        about = {key: session[key] for key in ("status", "runner_id", "resume_after", "last_task_error")}
        return "\n".join([f"--- {session_id}, stored: {about}", *map(str, items)])

    def close_streams(self) -> None:
        """End every reader that was opened so far."""
        for stream in self._streams:
            stream.close()
        self._streams.clear()

    def close(self) -> None:
        """End everything politely; whatever is left after that is a failure."""
        self.close_streams()
        for api in self._apis:
            api.http.close()
        programs = [program for program in (self.host, *self.servers) if program.is_running]
        try:
            for program in programs:
                program.stop()
            wait_for(
                lambda: not processes_at_home(self.home), seconds=ENDED_SECONDS, what="every process ended"
            )
        finally:
            left = processes_at_home(self.home)
            text = describe(left)
            for process in left:
                process.kill()
            assert not left, f"left behind:\n{text}\n{self.logs()}"


def is_healthy(url: str) -> bool:
    """Whether a server answers its health check."""
    try:
        return httpx.get(f"{url}/health", timeout=5).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def base_environ(directory: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """A clean environment: nothing of the developer's own keys, home or settings."""
    home = directory / "home"
    home.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        **kept(),
        **extra,
    }


def server_environ(flavour: Flavour, directory: Path, port: int, database: str | None) -> dict[str, str]:
    """One replica's settings."""
    environ = {
        **DURATIONS,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "DATA_DIR": str(directory / "data"),
        "OMNIGENT_ASGI_SERVER": flavour.server,
        **flavour.environ,
    }
    if database is not None:
        environ["DATABASE_URL"] = database
    if flavour.redis is not None:
        environ["REDIS_URL"] = flavour.redis.url()
    return base_environ(directory, environ)


@contextmanager
def running_stack(flavour: Flavour, directory: Path) -> Iterator[Stack]:
    """Start an installation and end it."""
    database = None
    if flavour.postgres is not None:
        database = flavour.postgres.create_database(f"e2e_{uuid.uuid4().hex[:12]}")
    ports = [free_port() for _ in range(flavour.replicas)]
    servers = [
        Program(
            f"server-{index}",
            python("-m", "omnigent.server", *(["--migrate"] if index == 0 else [])),
            environ=server_environ(flavour, directory, port, database),
            directory=directory,
        )
        for index, port in enumerate(ports)
    ]
    backends = [("127.0.0.1", port) for port in ports]
    with ExitStack() as stack:
        clients = stack.enter_context(BackgroundProxy(backends))
        tunnels = stack.enter_context(BackgroundProxy(backends))
        host = Program(
            "host",
            python("-m", "omnigent.host", "--server", tunnels.url),
            environ=base_environ(directory, flavour.environ),
            directory=directory,
        )
        installation = Stack(
            directory=directory, servers=servers, ports=ports, clients=clients, tunnels=tunnels, host=host
        )
        stack.callback(installation.close)
        for index in range(flavour.replicas):
            installation.start_server(index)
        if flavour.sign_in is None:
            host.start()
        else:
            host.start(OMNIGENT_TOKEN=installation.identify(flavour.sign_in(clients.url)))
        installation.wait_host()
        yield installation
