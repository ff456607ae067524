"""A session under any sequence of inputs, losses and restarts keeps its promises.

The profile `ci` is short and always the same; HYPOTHESIS_PROFILE=soak looks further.
"""

import os
from collections import Counter

import orjson
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from pytest_django import Settings

from tests.error_shape import assert_error
from tests.inputs.fake_runner import LOSE_AFTER, LOSE_BEFORE, status, text
from tests.inputs.rig import said
from tests.inputs.waiting import until
from tests.inputs.world import BUSY, TERMINAL, Stored, World

PROFILES = {
    "ci": settings(max_examples=25, stateful_step_count=25, derandomize=True, database=None),
    "soak": settings(max_examples=400, stateful_step_count=40, phases=[Phase.generate]),
}
NAME = os.environ.get("HYPOTHESIS_PROFILE", "ci")
SECONDS = {"ci": 180, "soak": 3600}[NAME]
PROFILE = settings(
    PROFILES[NAME],
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
SUPERSEDED = 4000


class SessionMachine(RuleBasedStateMachine):
    """The rules are what people, runners, networks and operators do; the invariants are what we promise.

    A rule that does not apply does nothing: what applies depends on the server's pace, and choices must not.
    """

    @initialize()
    def begin(self) -> None:
        self.world = World()
        self.world.do(self.world.open())

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.do(self.world.close())
            self.world.loop.close()

    @rule()
    def post_or_steer(self) -> None:
        self.world.do(self.world.post())

    @rule(place=st.integers(0, 9), is_changed=st.booleans())
    def post_again(self, place: int, is_changed: bool) -> None:
        if not self.world.posted:
            return
        before = self.world.posted[place % len(self.world.posted)]
        words = "something else" if is_changed else before.text

        answer = self.world.do(self.world.rig.post(self.world.session_id, said(words), key=before.key))

        if is_changed:
            assert_error(answer, 422, "idempotency_mismatch")
        else:
            assert (answer.status_code, answer.json()["item_id"]) == (202, before.item_id)

    @rule(loss=st.sampled_from([LOSE_BEFORE, LOSE_AFTER]))
    def post_into_a_loss(self, loss: object) -> None:
        if not self.world.is_connected:
            return

        async def step() -> None:
            runner = self.world.agent.runner
            runner.plan.append(loss)
            await self.world.post()
            await until(lambda: runner.line is None, "the tunnel is lost")
            runner.plan.clear()

        self.world.do(step())

    @rule()
    def stream_some_text(self) -> None:
        if not (self.world.agent is not None and self.world.agent.active):
            return
        self.world.do(self.world.agent.say())

    @rule(kind=st.sampled_from(["completed", "failed"]))
    def end_the_turn(self, kind: str) -> None:
        if not (self.world.agent is not None and self.world.agent.active):
            return
        self.world.do(self.world.agent.end(kind))

    @rule()
    def interrupt(self) -> None:
        if self.world.agent is not None:
            # What the server has not heard yet is dropped behind the fence.
            self.world.forget(self.world.agent)
        answer = self.world.do(self.world.rig.post(self.world.session_id, {"type": "interrupt"}))
        assert (answer.status_code, answer.json()) == (202, {"queued": False})

    @rule()
    def lose_the_tunnel(self) -> None:
        if not self.world.is_connected:
            return

        async def step() -> None:
            before = await self.world.settle()
            await self.world.agent.runner.disconnect()
            after = await self.world.stored()
            if before.status not in BUSY:
                assert (after.status, after.seq) == (before.status, before.seq)

        self.world.do(step())

    @rule()
    def dial_in_again(self) -> None:
        if not (self.world.agent is not None and not self.world.is_connected):
            return
        self.world.do(self.world.agent.runner.connect())

    @rule()
    def dial_in_anew_and_speak_on_the_old_line(self) -> None:
        if not self.world.is_connected:
            return

        async def step() -> None:
            runner = self.world.agent.runner
            await self.world.settle()
            old = runner.line
            runner.is_half_open = True
            await runner.connect()
            await until(lambda: old.close_code == SUPERSEDED, "the old line is superseded")
            runner.say_on(old, self.world.session_id, text("FROM THE GRAVE"), status("failed"))
            await self.world.settle()
            await runner.disconnect(line=old)
            runner.is_half_open = False
            assert await self.world.rig.is_online(runner.runner_id)

        self.world.do(step())

    @rule()
    def kill_the_runner(self) -> None:
        if self.world.agent is None:
            return
        self.world.do(self.world.kill())

    @rule()
    def let_the_lease_expire(self) -> None:
        if not (self.world.agent is not None and not self.world.is_connected):
            return

        async def step() -> None:
            await self.world.expire()
            now = await self.world.stored()
            assert now.status not in BUSY or now.outbox or now.has_live_lease

        self.world.do(step())

    @rule()
    def restart_the_server(self) -> None:
        self.world.do(self.world.restart())

    @rule()
    def cut_the_reader_off(self) -> None:
        async def step() -> None:
            await self.world.reader.disconnect()
            await self.world.reader.connect()

        self.world.do(step())

    @invariant()
    def promises_are_kept(self) -> None:
        if not hasattr(self, "world"):
            return
        now = self.world.do(self.world.settle())
        with self.world.explained("promises"):
            self._every_acknowledged_message_is_there_once_and_in_order(now)
            self._the_reader_has_the_log(now)
            self._responses_begin_and_end_once(now)
            self._the_status_is_what_the_log_says(now)
            self._text_is_shown_once_and_in_order(now)
            self._runners_took_every_message_once(now)
            assert self.world.errors.messages == []

    def _every_acknowledged_message_is_there_once_and_in_order(self, now: Stored) -> None:
        assert [position for position, _, _ in now.items] == list(range(1, len(now.items) + 1))
        acknowledged = [one.item_id for one in self.world.posted]
        stored = [item_id for _, item_id, data in now.items if orjson.loads(data).get("role") == "user"]
        assert stored == acknowledged
        consumed = [
            orjson.loads(data)["data"]["item_id"]
            for _, kind, data in now.log
            if kind == "session.input.consumed"
        ]
        assert consumed == acknowledged

    def _the_reader_has_the_log(self, now: Stored) -> None:
        assert [seq for seq, _, _ in now.log] == list(range(1, now.seq + 1))
        assert self.world.reader.received[: now.seq] == now.log

    def _responses_begin_and_end_once(self, now: Stored) -> None:
        begun: Counter[str] = Counter()
        ended: Counter[str] = Counter()
        for _, kind, data in now.log:
            if kind == "response.in_progress":
                begun[orjson.loads(data)["response"]["id"]] += 1
            elif kind in TERMINAL:
                response_id = orjson.loads(data)["response"]["id"]
                assert begun[response_id], f"{response_id} ends before it begins"
                ended[response_id] += 1
        assert max(begun.values(), default=0) <= 1
        assert max(ended.values(), default=0) <= 1
        is_open = set(begun) - set(ended)
        assert len(is_open) <= (now.status in BUSY)

    def _the_status_is_what_the_log_says(self, now: Stored) -> None:
        edges = [orjson.loads(data) for _, kind, data in now.log if kind == "session.status"]
        assert now.status == (edges[-1]["status"] if edges else "idle")
        assert (now.last_error is not None) == (now.status == "failed")
        assert now.running_turns <= (now.status in BUSY)
        agent = self.world.agent
        if agent is None or not self.world.is_connected:
            return
        if not agent.active:
            assert now.status not in BUSY
        elif not self.world.was_expired:
            assert now.status == "running"

    def _text_is_shown_once_and_in_order(self, now: Stored) -> None:
        shown = "".join(
            orjson.loads(data)["delta"] for _, kind, data in now.log if kind == "response.output_text.delta"
        )
        emitted = [token for agent in self.world.agents for token in agent.tokens]
        assert "GRAVE" not in shown
        heard = [token for token in emitted if token in shown]
        assert "".join(heard) == shown
        if self.world.is_connected and not self.world.was_expired:
            assert [
                token for token in emitted if token not in heard and token not in self.world.may_be_lost
            ] == []
        stored = "".join(
            block["text"]
            for _, _, data in now.items
            if orjson.loads(data).get("role") == "assistant"
            for block in orjson.loads(data)["content"]
        )
        assert shown.startswith(stored)
        if now.status not in BUSY:
            assert shown == stored

    def _runners_took_every_message_once(self, now: Stored) -> None:
        taken = [agent.runner.messages for agent in self.world.agents]
        order = {one.item_id: place for place, one in enumerate(self.world.posted)}
        for messages in taken:
            places = [order[item_id] for item_id in messages]
            assert places == sorted(set(places))
        if not now.outbox:
            assert {item_id for messages in taken for item_id in messages} == set(order)


@pytest.mark.timeout(SECONDS)
def test_promises_are_kept(transactional_db: None, quick: Settings) -> None:
    run_state_machine_as_test(SessionMachine, settings=PROFILE)
