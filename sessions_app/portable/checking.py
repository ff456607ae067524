"""From the members of an archive to what can be stored: every line checked, every reference resolved."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from omnigent.api.validation import MAX_DEPTH, NUL, is_too_deep, texts
from omnigent.protocol import items
from omnigent.spec import InvalidAgentError, bundle
from policies_app.services import carried
from policies_app.services.carried import Link
from sessions_app.portable import layout
from sessions_app.portable.attached import check_file
from sessions_app.portable.checked import Checked
from sessions_app.portable.documents import (
    AgentLine,
    CommentLine,
    DecisionLine,
    FileLine,
    ItemLine,
    PolicyLine,
    SessionLine,
    words,
)
from sessions_app.portable.layout import InvalidArchive
from sessions_app.portable.references import NewIds, inward
from sessions_app.portable.unpacking import Unpacked

Line = TypeVar("Line", bound=BaseModel)
NUL_ESCAPE = b"\\u0000"


def check(archive: Unpacked, *, bundle_limit: int) -> Checked:
    """Read the whole archive. Raises InvalidArchive that names the member and the line."""
    counts = archive.manifest.counts
    with ExitStack() as undo:
        checked = Checked(
            ids=NewIds(sessions=counts.sessions, items=counts.items, files=counts.files),
            counts=counts,
            missing=list(archive.manifest.missing),
        )
        undo.callback(checked.close)
        reader = _Reader(archive, checked)
        reader.read(layout.AGENTS, AgentLine, reader.take_agent)
        reader.read(layout.SESSIONS, SessionLine, reader.take_session)
        reader.read(layout.FILES, FileLine, reader.take_file)
        reader.read(layout.ITEMS, ItemLine, reader.take_item)
        reader.read(layout.COMMENTS, CommentLine, reader.take_comment)
        reader.read(layout.POLICIES, PolicyLine, reader.take_policy)
        reader.read(layout.DECISIONS, DecisionLine, reader.take_decision)
        reader.finish(bundle_limit)
        undo.pop_all()
        return checked


class _Reader:
    """Takes the lines in the order of their kinds."""

    def __init__(self, archive: Unpacked, checked: Checked) -> None:
        self._archive = archive
        self._checked = checked
        self._counted: dict[str, int] = {}
        self._depths: list[int] = []
        self._titles: set[tuple[str, str]] = set()
        self._session_text = 0
        self._at, self._position, self._last_item = 1, 0, 0
        self._comments: dict[str, int] = {}
        self._policies: dict[str, set[str]] = {}
        self._last_decision: Link | None = None
        self._missing = {one.id for one in checked.missing if one.kind == "file"}

    def read(self, kind: str, model: type[Line], take: Callable[[Line], None]) -> None:
        """Check and take each line of a kind. What is wrong is told with its place."""
        count = 0
        for name in self._archive.chunks(kind):
            for number, raw in enumerate(self._archive.lines(name), start=1):
                count += 1
                try:
                    take(self._parsed(raw, model))
                except InvalidArchive as error:
                    raise InvalidArchive(f"{name}, line {number}: {error}") from None
        self._counted[kind] = count

    def _parsed(self, raw: bytes, model: type[Line]) -> Line:
        if len(raw) > layout.MAX_LINE:
            raise InvalidArchive(f"has more than {layout.MAX_LINE} bytes")
        if not raw.endswith(b"\n"):
            raise InvalidArchive("has no end")
        if model is SessionLine:
            self._session_text += len(raw)
            if self._session_text > layout.MAX_SESSION_TEXT:
                raise InvalidArchive(f"all sessions together have more than {layout.MAX_SESSION_TEXT} bytes")
        try:
            value = orjson.loads(inward(raw.decode(), self._checked.ids.id_of))
        except UnicodeDecodeError:
            raise InvalidArchive("is not UTF-8") from None
        except orjson.JSONDecodeError as error:
            raise InvalidArchive(f"{error.msg} at character {error.pos}") from None
        _check_texts(raw, value, model)
        try:
            return model.model_validate(value)
        except ValidationError as error:
            raise InvalidArchive(words(error)) from None
        except RecursionError:
            raise InvalidArchive("is nested too deeply") from None

    def take_agent(self, agent: AgentLine) -> None:
        """An agent; its bundle is looked at in the end."""
        self._expect(agent.id, "a", len(self._checked.agents) + 1)
        if agent.bundle is not None:
            if agent.builtin_id is not None:
                raise InvalidArchive("bundle: an agent of the operator comes without one")
            if agent.bundle != layout.bundle_member(agent.digest):
                raise InvalidArchive("bundle: must be the member that is named after digest")
            if agent.bundle not in self._archive.parts:
                raise InvalidArchive(f"bundle: {agent.bundle} is missing")
        self._checked.agents.append(agent)

    def take_session(self, session: SessionLine) -> None:
        """A session below one of those before it; the first one is the root."""
        known = self._checked.sessions
        self._expect(session.id, "s", len(known) + 1)
        if len(known) >= layout.MAX_SESSIONS:
            raise InvalidArchive(f"there are more than {layout.MAX_SESSIONS} sessions")
        if (session.parent is None) != (not known):
            raise InvalidArchive("parent: the first session has none, and every other one has one")
        above = 0 if session.parent is None else self._number(session.parent, "parent", len(known))
        depth = self._depths[above - 1] + 1 if above else 0
        if depth > layout.MAX_DEPTH:
            raise InvalidArchive(f"parent: sessions are nested deeper than {layout.MAX_DEPTH}")
        if session.parent is not None and session.title:
            key = (session.parent, session.title)
            if key in self._titles:
                raise InvalidArchive("title: another sub-agent of the same session has it")
            self._titles.add(key)
        if session.agent is not None:
            self._number(session.agent, "agent", len(self._checked.agents))
        self._depths.append(depth)
        known.append(session)

    def take_file(self, file: FileLine) -> None:
        """A file whose bytes are there, or said to be missing."""
        self._expect(file.id, "f", len(self._checked.files) + 1)
        self._number(file.session, "session", len(self._checked.sessions))
        part = self._archive.parts.get(layout.blob_member(file.sha256))
        if part is None:
            if file.id not in self._missing:
                raise InvalidArchive(f"sha256: {layout.blob_member(file.sha256)} is missing")
            self._checked.lost.add(file.id)
        else:
            check_file(file, part)
        self._checked.files.append(file)

    def take_item(self, item: ItemLine) -> None:
        """The next item of its session."""
        self._last_item += 1
        self._expect(item.id, "i", self._last_item)
        number = self._number(item.session, "session", len(self._checked.sessions))
        if number != self._at:
            self._leave_items(number)
            self._at, self._position = number, 0
        self._position += 1
        if item.position != self._position:
            raise InvalidArchive(f"position: must be {self._position}")
        try:
            text, nulls = items.split(items.parse_item(item.type, item.data))
        except items.InvalidItem as error:
            raise InvalidArchive(f"data: {error}") from None
        new_id = self._checked.ids.id_of("i", self._last_item)
        head = [number, item.position, new_id, item.type, item.status, item.response_id]
        tail = [text, ",".join(nulls), layout.stamp(item.created_at), item.created_by]
        self._checked.items.add([*head, *tail])

    def _leave_items(self, following: int) -> None:
        """Raise unless the items of the sessions before this one are complete."""
        if following < self._at:
            raise InvalidArchive("session: items stand in the order of their sessions")
        for number in range(self._at, following):
            found = self._position if number == self._at else 0
            expected = self._checked.sessions[number - 1].items
            if found != expected:
                raise InvalidArchive(f"session s{number} has {found} items instead of {expected}")

    def take_comment(self, comment: CommentLine) -> None:
        """A comment of a session."""
        number = self._number(comment.session, "session", len(self._checked.sessions))
        if comment.end_index < comment.start_index:
            raise InvalidArchive("end_index: must not be before start_index")
        self._comments[comment.session] = self._comments.get(comment.session, 0) + 1
        if self._comments[comment.session] > layout.MAX_COMMENTS:
            raise InvalidArchive(f"a session holds at most {layout.MAX_COMMENTS} comments")
        row = comment.model_dump()
        times = {name: layout.stamp(row[name]) for name in ("created_at", "updated_at")}
        self._checked.comments.add([number, {**row, **times}])

    def take_policy(self, policy: PolicyLine) -> None:
        """A policy of a session; whether its handler is here is asked later."""
        self._expect(policy.id, "p", self._checked.policies.count + 1)
        number = self._number(policy.session, "session", len(self._checked.sessions))
        names = self._policies.setdefault(policy.session, set())
        if policy.name in names:
            raise InvalidArchive("name: another policy of the same session has it")
        names.add(policy.name)
        if len(names) > layout.MAX_SESSION_POLICIES:
            raise InvalidArchive(f"a session holds at most {layout.MAX_SESSION_POLICIES} policies")
        row = policy.model_dump()
        for name in ("created_at", "updated_at"):
            row[name] = None if row[name] is None else layout.stamp(row[name])
        self._checked.policies.add([number, row])

    def take_decision(self, line: DecisionLine) -> None:
        """A decision as its log had it, linked to the one before where that is its neighbour in the log."""
        self._expect(line.id, "d", self._checked.decisions.count + 1)
        number = self._number(line.session, "session", len(self._checked.sessions))
        values = line.decision.model_dump()
        try:
            text = carried.text_of(values)
        except ValueError as error:
            raise InvalidArchive(str(error)) from None
        link = carried.link_of(line.origin, values)
        if carried.is_torn(self._last_decision, link):
            raise InvalidArchive("prev_hash: it is not the hash of the decision before")
        self._last_decision = link
        self._checked.decisions.add([number, line.origin, text])

    def finish(self, bundle_limit: int) -> None:
        """What can be said only in the end: counts, the bundles, and that nothing is there for nothing."""
        for kind, count in self._counted.items():
            if count != getattr(self._checked.counts, kind):
                said = getattr(self._checked.counts, kind)
                raise InvalidArchive(f"{layout.MANIFEST}: counts.{kind}: is {said}, and there are {count}")
        self._leave_items(len(self._checked.sessions) + 1)
        used = {session.agent for session in self._checked.sessions}
        for agent in self._checked.agents:
            if agent.id not in used:
                raise InvalidArchive(f"{agent.id} is no session's agent")
        wanted = {layout.blob_member(file.sha256) for file in self._checked.files}
        wanted.update(agent.bundle for agent in self._checked.agents if agent.bundle is not None)
        for name in self._archive.parts:
            if name != layout.MANIFEST and layout.chunk_of(name) is None and name not in wanted:
                raise InvalidArchive(f"{name} belongs to nothing")
        for agent in self._checked.agents:
            if agent.bundle is not None:
                self._check_bundle(agent, agent.bundle, bundle_limit)

    def _check_bundle(self, agent: AgentLine, name: str, limit: int) -> None:
        if self._archive.parts[name].size > limit:
            raise InvalidArchive(f"{name} has more than {limit} bytes")
        try:
            found = bundle.inspect(self._archive.read(name))
        except InvalidAgentError as error:
            raise InvalidArchive(f"{name}: {error}") from None
        if (found.digest, found.spec.name) != (agent.digest, agent.name):
            raise InvalidArchive(f"{name} is not the agent that {agent.id} says it is")

    @staticmethod
    def _expect(name: str, letter: str, number: int) -> None:
        if name != f"{letter}{number}":
            raise InvalidArchive(f"id: must be {letter}{number}")

    @staticmethod
    def _number(name: str, key: str, count: int) -> int:
        """The number in a name that must be one of the first `count`."""
        number = int(name[1:])
        if number > count:
            raise InvalidArchive(f"{key}: {name} is not in the archive, or stands further down")
        return number


def _check_texts(raw: bytes, value: object, model: type[BaseModel]) -> None:
    """Refuse what no column takes. What a log has of an event may hold NULs: it is stored as escaped text."""
    if model is DecisionLine:
        if is_too_deep(value):
            raise InvalidArchive(f"is nested deeper than {MAX_DEPTH} levels")
    elif NUL_ESCAPE in raw and any(NUL in text for _, text in texts(value)):
        raise InvalidArchive("text must not contain NUL characters")
