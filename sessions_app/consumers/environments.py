"""`…/resources/environments`: the workspace of a session, to look into, to write to, to run commands in."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from pydantic import BaseModel

from omnigent.api.asgi import header_values
from omnigent.api.validation import parse, parse_query
from sessions_app import environment_bodies as bodies
from sessions_app.consumers.downloads import DownloadConsumer
from sessions_app.consumers.resources import ResourceConsumer
from sessions_app.consumers.sessions import refuse_other_types, type_of
from sessions_app.flows import environments as flow
from sessions_app.flows import resources
from sessions_app.flows.environments import Look
from sessions_app.services import environments
from sessions_app.services.environments import Place, Target, Use

SLACK_SECONDS = 30.0


class EnvironmentsConsumer(ResourceConsumer):
    """What they share: which environment and path the address names, and for whom."""

    def target(self, *, on_host: bool = False) -> Target:
        """The place that the address names. Raises 404 and 400, before anybody is asked."""
        return environments.target_of(
            str(self.kwargs["environment_id"]),
            str(self.kwargs.get("path", "")),
            on_host=on_host,
            raw_path=self.scope.get("raw_path") or b"",
        )

    async def place(self, use: Use, target: Target | None = None) -> Place:
        """The session's resources, for a caller who may use them so."""
        return await self.process.pool.run(environments.place, self.principal, self.session_id, use, target)

    async def look(self, place: Place, asked: Look) -> None:
        """Answer with what is seen."""
        await self.answer(await self.unless_disconnected(flow.look(self.process, place, asked)))

    async def change(self, place: Place, target: Target, raw: bytes, asked: resources.Request) -> None:
        """Do what is asked once, also when nobody waits any more, and tell the session's readers."""
        environments.require_runner(place)
        done = partial(environments.tell_changed, place.session_pk, target.environment_id)
        receipts = self.receipts(raw)
        work = resources.change(self.process, self.principal, place, receipts, asked, done)
        await self.answer(await work)


class ListEnvironmentsConsumer(EnvironmentsConsumer):
    """GET …/resources/environments"""

    async def handle(self) -> None:
        place = await self.place(Use.KNOW)
        await self.answer(await self.unless_disconnected(flow.all_environments(self.process, place)))


class GetEnvironmentConsumer(EnvironmentsConsumer):
    """GET …/resources/environments/{environment_id}"""

    async def handle(self) -> None:
        target = self.target()
        place = await self.place(Use.KNOW)
        await self.answer(await self.unless_disconnected(flow.environment(self.process, place, target)))


class ReadFilesConsumer(EnvironmentsConsumer, DownloadConsumer):
    """GET …/filesystem and …/filesystem/{path}: a page of a directory, a file's content, or its bytes."""

    async def handle(self) -> None:
        asked = parse_query(bodies.ReadFiles, self.scope["query_string"])
        target = self.target(on_host=asked.base == "host")
        for cursor in (asked.after, asked.before):
            environments.refuse_bad_path(cursor or "", "cursor")
        place = await self.place(Use.READ, target)
        # Its owner may follow a link out of the workspace, being free to go there by an absolute path.
        reach = {"scope": "reach"} if place.is_owner and target.path and not target.is_absolute else {}
        if asked.download:
            await self.download(place, target, {"download": "true", **reach})
            return
        page = given(asked, "limit", "order", "after", "before")
        query = {**{name: str(value) for name, value in page.items()}, **reach}
        params = {**page, "path": target.path}
        await self.look(
            place,
            Look(route="filesystem", operation="list_or_read", target=target, query=query, params=params),
        )


class SearchFilesConsumer(EnvironmentsConsumer):
    """GET …/search and …/search/{path}"""

    async def handle(self) -> None:
        base = parse_query(bodies.AtBase, self.scope["query_string"]).base
        target = self.target(on_host=base == "host")
        place = await self.place(Use.LOOK, target)
        asked = parse_query(bodies.SearchFiles, self.scope["query_string"])
        wanted = given(asked, "q", "include", "exclude", "limit")
        if asked.mode == "content":
            wanted["mode"] = asked.mode
        query = {name: str(value) for name, value in wanted.items()}
        params = {"include": None, "exclude": None, **wanted, "path": target.path}
        await self.look(
            place, Look(route="search", operation="search", target=target, query=query, params=params)
        )


class ListChangesConsumer(EnvironmentsConsumer):
    """GET …/changes"""

    async def handle(self) -> None:
        target = self.target()
        place = await self.place(Use.LOOK)
        await self.look(place, Look(route="changes", operation="changes", target=target))


class DiffConsumer(EnvironmentsConsumer):
    """GET …/diff/{path}"""

    async def handle(self) -> None:
        target = self.target()
        place = await self.place(Use.LOOK, target)
        params = {"path": target.path}
        await self.look(place, Look(route="diff", operation="diff", target=target, params=params))


class WriteFileConsumer(EnvironmentsConsumer):
    """PUT …/filesystem/{path}"""

    async def handle(self) -> None:
        asked = parse_query(bodies.AtBase, self.scope["query_string"])
        target = self.target(on_host=asked.base == "host")
        # Before the body: a stranger's content is not worth reading.
        place = await self.place(Use.WRITE, target)
        raw = await self.body()
        body = bodies.content_of(raw).model_dump_json().encode()
        request = resources.Request(method="PUT", suffix=target.below("filesystem"), body=body)
        await self.change(place, target, raw, request)


class EditFileConsumer(EnvironmentsConsumer):
    """PATCH …/filesystem/{path}"""

    async def handle(self) -> None:
        asked = parse_query(bodies.AtBase, self.scope["query_string"])
        target = self.target(on_host=asked.base == "host")
        place = await self.place(Use.WRITE, target)
        raw = await self.body()
        body = parse(bodies.EditFile, raw).model_dump_json().encode()
        request = resources.Request(method="PATCH", suffix=target.below("filesystem"), body=body)
        await self.change(place, target, raw, request)


class DeleteFileConsumer(EnvironmentsConsumer):
    """DELETE …/filesystem/{path}"""

    async def handle(self) -> None:
        asked = parse_query(bodies.DeleteFile, self.scope["query_string"])
        target = self.target(on_host=asked.base == "host")
        place = await self.place(Use.WRITE, target)
        raw = await self.body()
        query = "?recursive=true" if asked.recursive else ""
        request = resources.Request(method="DELETE", suffix=target.below("filesystem") + query)
        await self.change(place, target, raw, request)


class ShellConsumer(EnvironmentsConsumer):
    """POST …/shell"""

    async def handle(self) -> None:
        target = self.target()
        refuse_other_types(type_of(header_values(self.scope, b"content-type")))
        place = await self.place(Use.RUN, target)
        raw = await self.body()
        command = bodies.command_of(raw)
        request = resources.Request(
            method="POST",
            suffix=target.below("shell"),
            body=command.model_dump_json(exclude_none=True).encode(),
            seconds=(command.timeout or bodies.MAX_SHELL_SECONDS) + SLACK_SECONDS,
        )
        work = self.change(place, target, raw, request)
        # Under a key somebody may come back for the answer; without one nobody can.
        await (work if self.key is not None else self.unless_disconnected(work))


def given(asked: BaseModel, *names: str) -> dict[str, Any]:
    """These members of a query that were given or have a default."""
    values: Mapping[str, Any] = asked.model_dump(include=set(names), exclude_none=True)
    return dict(values)
