"""The server process: `python -m omnigent.server`, with `--help` for its options."""

import argparse
import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import django
import uvloop
from django.apps import apps
from django.conf import settings
from django.core import checks
from django.db import OperationalError, connections
from django.utils.module_loading import import_string

from omnigent.errors import OmnigentError
from omnigent.serving import database
from omnigent.serving.host_child import HostChild, host_command
from omnigent.serving.lifecycle import Lifecycle
from omnigent.serving.limits import Limits
from omnigent.serving.listener import is_loopback_host, listen, url_of
from omnigent.serving.lock import AlreadyRunning, DataDirLock

REFUSED = 2
# By name, because loading a server has effects: Daphne's makes a loop and installs a reactor on it.
SERVERS = ("daphne", "uvicorn")


class Refusal(Exception):
    """The server will not start; the text says why and what to do."""


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments(argv)
    for name in ("host", "port", "server"):
        if (value := getattr(options, name)) is not None:
            os.environ["OMNIGENT_ASGI_SERVER" if name == "server" else name.upper()] = str(value)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "omnigent.settings")
    django.setup()
    try:
        run(options)
    except (Refusal, AlreadyRunning) as exc:
        sys.stderr.write(f"omnigent.server: {exc}\n")
        return REFUSED
    return 0


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m omnigent.server", description="Run the Omnigent server.")
    parser.add_argument(
        "--server", choices=SERVERS, help="which ASGI server (default: OMNIGENT_ASGI_SERVER or daphne)"
    )
    parser.add_argument("--host", help="address to listen on (default: HOST or 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on, 0 for any (default: PORT or 6767)")
    parser.add_argument(
        "--agent",
        action="append",
        type=Path,
        default=[],
        metavar="PATH",
        help="an agent to offer: a file, directory or archive; may be given several times",
    )
    parser.add_argument("--with-host", action="store_true", help="also run a local host daemon")
    parser.add_argument("--migrate", action="store_true", help="bring the database up to date first")
    return parser.parse_args(argv)


def run(options: argparse.Namespace) -> None:
    guard_bind(settings.HOST, settings.OMNIGENT_AUTH_MODE)
    refuse_bad_settings()
    with contextlib.ExitStack() as stack:
        if not settings.DATABASE_URL:
            stack.enter_context(DataDirLock(settings.DATA_DIR))
        listener = stack.enter_context(bound_socket())
        setup_token = prepare_database(should_migrate=options.migrate, agents=options.agent)
        url = url_of(listener)
        process = import_string("sessions_app.process.build_process")(
            address=settings.OMNIGENT_INTERNAL_ADDRESS or url
        )
        apps.get_app_config("sessions_app").process = process  # type: ignore[attr-defined]  # SessionsConfig
        lifecycle = Lifecycle(
            process=process,
            announce=lambda: announce(url, setup_token),
            drain_seconds=settings.OMNIGENT_DRAIN_SECONDS,
            host=HostChild(host_command(url)) if options.with_host else None,
        )
        application = import_string(settings.ASGI_APPLICATION)
        server_named(settings.OMNIGENT_ASGI_SERVER)(application, listener, limits(), lifecycle)


def bound_socket() -> socket.socket:
    try:
        return listen(settings.HOST, settings.PORT, stall_seconds=settings.OMNIGENT_STALL_SECONDS)
    except OSError as exc:
        place = f"{settings.HOST}:{settings.PORT}"
        raise Refusal(f"cannot listen on {place}: {exc.strerror}. Set HOST or PORT.") from None


def prepare_database(*, should_migrate: bool, agents: Sequence[Path]) -> str | None:
    """Make the database ready; answers the token for the first administrator while there is none."""
    try:
        if should_migrate:
            database.migrate()
        elif missing := database.missing_migrations():
            raise Refusal(f"the database lacks migrations ({missing[0]} …). Start with --migrate.")
    except OperationalError as exc:
        raise Refusal(f"the database cannot be used: {str(exc).strip()}. Check DATABASE_URL.") from None
    try:
        import_string("sessions_app.services.agent_seeding.seed_agents")(agents)
    except ValueError as exc:
        raise Refusal(f"an agent of --agent cannot be used: {exc}") from None
    try:
        setup_token: str | None = import_string("omnigent.accounts.services.invitations.first_steps")()
    except OmnigentError as exc:
        raise Refusal(
            f"the first administrator cannot be made: {exc.message}. Check OMNIGENT_ACCOUNTS_INIT_ADMIN_…"
        ) from None
    # From here on only the pool's threads and the writer talk to the database.
    connections.close_all()
    return setup_token


def guard_bind(host: str, auth_mode: str) -> None:
    """Without authentication, whoever reaches the port owns the machine's sessions and shells."""
    if auth_mode == "single-user" and not is_loopback_host(host):
        raise Refusal(
            f"refusing to listen on {host}: single-user mode has no authentication, and anyone who can reach "
            "that address could run commands on this machine. Listen on 127.0.0.1 (HOST or --host), or set "
            "OMNIGENT_AUTH_MODE to header or accounts."
        )
    if settings.DEBUG and not is_loopback_host(host):
        raise Refusal(f"refusing to listen on {host} with DEBUG, whose pages show settings and code.")


def refuse_bad_settings() -> None:
    serious = [each for each in checks.run_checks() if each.is_serious()]
    if serious:
        lines = "\n".join(f"  {each.id}: {each.msg} {each.hint or ''}".rstrip() for each in serious)
        raise Refusal(f"the settings have errors:\n{lines}")


def limits() -> Limits:
    return Limits(
        frame_bytes=settings.OMNIGENT_FRAME_LIMIT,
        ping_seconds=settings.OMNIGENT_SOCKET_PING_SECONDS,
        ping_timeout=settings.OMNIGENT_SOCKET_PING_TIMEOUT,
        body_seconds=settings.OMNIGENT_BODY_SECONDS,
    )


def server_named(name: str) -> Callable[..., Any]:
    """The `serve` function of a server's module, on uvloop's event loop in either case: uvicorn asks for one
    itself, Daphne takes what the policy makes while it is imported.
    """
    if name == "daphne":
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    serve: Callable[..., Any] = import_module(f"omnigent.serving.on_{name}").serve
    return serve


def announce(url: str, setup_token: str | None) -> None:
    sys.stdout.write(f"Omnigent is at {url}\nTry: curl {url}/v1/agents\n")
    if setup_token is not None:
        sys.stdout.write(
            "Nobody has an account yet. Make the first administrator at /setup or by POST /v1/setup "
            f"with this token, which works once and for 24 hours:\n{setup_token}\n"
        )
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
