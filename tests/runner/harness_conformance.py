"""What every model adapter must do, run by each harness's test file with the vendor's real client library."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any

import pytest

from omnigent.runner.harnesses.base import (
    Finished,
    Model,
    Retry,
    TextDelta,
    ToolCall,
    Usage,
)
from tests.model_server import (
    BreakInside,
    Call,
    Cut,
    End,
    Fail,
    Garbage,
    ModelServer,
    Reasoning,
    Silence,
    Stop,
    Text,
    Tokens,
    Unanswered,
)
from tests.runner.harness_rig import DEADLINE, HarnessRig, assistant, called, gave, user


class HarnessConformance(HarnessRig):
    """Subclass it with a `subject`; the methods are the table."""

    async def test_text_is_streamed_word_by_word(self, server: ModelServer) -> None:
        server.script([Text("Hello from the model.")])

        outcome = await self.sample(server.url)

        deltas = [event.text for event in outcome.events if isinstance(event, TextDelta)]
        assert deltas == ["Hello ", "from ", "the ", "model."]
        assert outcome.events[-1] == Finished("stop")
        assert outcome.error is None

    async def test_the_request_names_model_instructions_and_tools(self, server: ModelServer) -> None:
        await self.sample(server.url, self.request(user("Who are you?")))

        recorded = await server.request()
        assert recorded.path == self.subject.path
        assert recorded.body["model"] == self.subject.model
        assert "Be brief." in str(recorded.body)
        assert "sys_os_shell" in str(recorded.body["tools"])

    async def test_reasoning_is_kept_apart_from_text(self, server: ModelServer) -> None:
        server.script([Reasoning("First think. "), Text("Then speak.")])

        outcome = await self.sample(server.url, self.request(reasoning_effort="high"))

        assert outcome.reasoning == "First think. "
        assert outcome.text == "Then speak."

    async def test_a_tool_call_arrives_whole(self, server: ModelServer) -> None:
        server.script([Text("Let me look. "), Call("sys_os_shell", {"command": "ls -l"}, "call_a")])

        outcome = await self.sample(server.url)

        expected = ToolCall(call_id="call_a", name="sys_os_shell", arguments='{"command": "ls -l"}')
        assert outcome.calls == [expected]
        assert outcome.text == "Let me look. "
        assert outcome.events[-1] == Finished("tool_calls")

    async def test_a_call_without_arguments_is_an_empty_object(self, server: ModelServer) -> None:
        server.script([Call("sys_os_shell", "", "call_a")])

        outcome = await self.sample(server.url)

        assert [call.arguments for call in outcome.calls] == ["{}"]

    async def test_parallel_calls_keep_their_order(self, server: ModelServer) -> None:
        commands = ["one", "two", "three"]
        server.script([Call("sys_os_shell", {"command": word}, f"call_{word}") for word in commands])

        outcome = await self.sample(server.url)

        assert [call.call_id for call in outcome.calls] == ["call_one", "call_two", "call_three"]
        assert outcome.calls[2].arguments == '{"command": "three"}'

    async def test_usage_counts_cached_tokens_as_input(self, server: ModelServer) -> None:
        counted = Tokens(
            input_tokens=100, output_tokens=20, reasoning_tokens=8, cache_read=60, cache_written=30
        )
        server.script([Text("Hi."), counted])

        outcome = await self.sample(server.url)

        assert outcome.events[-2] == Usage(
            input_tokens=100,
            output_tokens=20,
            reasoning_tokens=8,
            cache_read_input_tokens=60,
            cache_creation_input_tokens=30,
            context_tokens=120,
            model=self.subject.model,
        )

    @pytest.mark.parametrize("reason", ["length", "content_filter"])
    async def test_an_answer_that_was_stopped_says_why(self, server: ModelServer, reason: Any) -> None:
        server.script([Text("Half an"), Stop(reason)])

        outcome = await self.sample(server.url)

        assert outcome.text == "Half an"
        assert outcome.events[-1] == Finished(reason)

    async def test_history_reaches_the_provider_with_calls_and_results_paired(
        self, server: ModelServer
    ) -> None:
        history = (
            user("List the files."),
            assistant("I will."),
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "SECRET THOUGHT"}]},
            called("call_1"),
            called("call_2"),
            user("Be quick."),
            gave("call_1", "a.txt"),
            gave("call_2", "b.txt"),
            {"type": "error", "code": "x", "message": "SECRET ERROR"},
            assistant("Two files."),
            called("call_lost"),
            gave("call_unknown", "orphan"),
            user("And now?"),
        )

        await self.sample(server.url, self.request(*history))

        body = (await server.request()).body
        assert self.subject.exchanges(body) == [
            ("call", "call_1"),
            ("call", "call_2"),
            ("result", "call_1"),
            ("result", "call_2"),
            ("call", "call_lost"),
            ("result", "call_lost"),
        ]
        sent = str(body)
        assert "SECRET" not in sent
        assert "orphan" not in sent
        assert (
            sent.index("I will.") < sent.index("a.txt") < sent.index("Be quick.") < sent.index("Two files.")
        )

    async def test_history_starts_at_the_last_summary(self, server: ModelServer) -> None:
        history = (
            {**user("OLD QUESTION"), "id": "item_1"},
            {**assistant("KEPT ANSWER"), "id": "item_2"},
            {"type": "compaction", "id": "item_3", "summary": "They talked.", "last_item_id": "item_1"},
            {**user("New question"), "id": "item_4"},
        )

        await self.sample(server.url, self.request(*history))

        sent = str((await server.request()).body)
        assert "OLD QUESTION" not in sent
        assert sent.index("They talked.") < sent.index("KEPT ANSWER") < sent.index("New question")

    async def test_a_picture_is_sent_as_data(self, server: ModelServer) -> None:
        picture = {"type": "input_image", "image_url": "data:image/png;base64,aGVsbG8="}
        lost = {"type": "input_image", "file_id": "file_1"}
        message = {"type": "message", "role": "user", "content": [picture, lost]}

        await self.sample(server.url, self.request(message))

        sent = str((await server.request()).body)
        assert "aGVsbG8=" in sent
        assert "[an image that is not available]" in sent

    async def test_an_image_among_the_files_is_shown_as_a_picture(self, server: ModelServer) -> None:
        file = {"type": "input_file", "filename": "a.png", "file_data": "data:image/png;base64,aGVsbG8="}

        await self.sample(server.url, self.request({"type": "message", "role": "user", "content": [file]}))

        sent = str((await server.request()).body)
        assert "aGVsbG8=" in sent
        assert "which cannot be shown" not in sent

    async def test_files_are_sent_as_documents_or_as_their_text(self, server: ModelServer) -> None:
        pdf = {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}
        note = {"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain;base64,aGVsbG8="}
        zipped = {"type": "input_file", "filename": "a.zip", "file_data": "data:application/zip;base64,UEs="}

        await self.sample(
            server.url,
            self.request({"type": "message", "role": "user", "content": [pdf, note, zipped]}),
        )

        sent = str((await server.request()).body)
        assert "JVBERg==" in sent
        assert "a.pdf" in sent
        assert "[the file a.txt]\\nhello" in sent
        assert "[the file a.zip of type application/zip, which cannot be shown]" in sent
        assert "UEs=" not in sent

    async def test_a_picture_that_vendors_refuse_becomes_a_note(self, server: ModelServer) -> None:
        picture = {"type": "input_image", "image_url": "data:image/tiff;base64,aGVsbG8="}

        await self.sample(server.url, self.request({"type": "message", "role": "user", "content": [picture]}))

        sent = str((await server.request()).body)
        assert "[an image of type image/tiff, which cannot be shown]" in sent
        assert "aGVsbG8=" not in sent

    async def test_arguments_that_are_no_object_are_wrapped(self, server: ModelServer) -> None:
        await self.sample(server.url, self.request(called("call_1", '{"command": '), gave("call_1", "bad")))

        assert "invalid_arguments" in str((await server.request()).body)

    @pytest.mark.parametrize(
        ("failure", "code"),
        [
            pytest.param(Fail(400), "bad_request", id="bad-request"),
            pytest.param(Fail(401, "authentication_error"), "authentication_error", id="key"),
            pytest.param(Fail(403, "permission_error"), "permission_denied", id="permission"),
            pytest.param(Fail(404, "not_found_error"), "not_found", id="model"),
            pytest.param(Fail(413, "request_too_large"), "request_too_large", id="too-large"),
            pytest.param(Fail(418, "teapot"), "bad_request", id="unknown-4xx"),
            pytest.param(
                Fail(400, message="prompt is too long: 9 tokens > 8 maximum"),
                "context_length_exceeded",
                id="context",
            ),
            pytest.param(Fail(200), "malformed_stream", id="not-a-stream"),
        ],
    )
    async def test_a_refusal_is_final(self, server: ModelServer, failure: Fail, code: str) -> None:
        server.script([failure])

        outcome = await self.sample(server.url)

        assert outcome.code == code
        assert outcome.events == []
        assert len(server.requests) == 1

    @pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 529])
    async def test_a_passing_failure_is_repeated(self, server: ModelServer, status: int) -> None:
        server.script([Fail(status, "api_error")], [Text("Back again.")])

        outcome = await self.sample(server.url)

        assert outcome.text == "Back again."
        assert [(retry.attempt, retry.max_attempts, retry.delay_seconds) for retry in outcome.retries] == [
            (1, 7, 2.0)
        ]
        assert isinstance(outcome.events[0], Retry)
        assert outcome.waits == [2.0]

    async def test_repeating_stops_at_the_limit(self, server: ModelServer) -> None:
        server.script(*[[Fail(503, "overloaded_error", message="busy")]] * 8)

        outcome = await self.sample(server.url)

        assert outcome.code == "provider_unavailable"
        assert "busy" in str(outcome.error)
        assert outcome.waits == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
        assert len(server.requests) == 8

    @pytest.mark.parametrize(
        ("headers", "wait"),
        [
            pytest.param({"retry-after": "17"}, 17.0, id="seconds"),
            pytest.param({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30.0, id="date"),
            pytest.param({"retry-after-ms": "1500", "retry-after": "2"}, 1.5, id="milliseconds"),
            pytest.param({"retry-after": "soon"}, 2.0, id="nonsense"),
        ],
    )
    async def test_retry_after_is_honoured(
        self, server: ModelServer, headers: Mapping[str, str], wait: float
    ) -> None:
        server.script([Fail(429, "rate_limit_error", headers=headers)], [Text("Back.")])

        outcome = await self.sample(server.url)

        assert outcome.waits == [wait]
        assert outcome.retries[0].code == "rate_limited"
        assert outcome.text == "Back."

    async def test_a_very_long_retry_after_is_not_waited_for(self, server: ModelServer) -> None:
        server.script([Fail(429, "rate_limit_error", headers={"retry-after": "3600"})])

        outcome = await self.sample(server.url)

        assert outcome.code == "rate_limited"
        assert outcome.waits == []

    async def test_nothing_is_repeated_when_the_provider_forbids_it(self, server: ModelServer) -> None:
        server.script([Fail(500, "api_error", headers={"x-should-retry": "false"})])

        outcome = await self.sample(server.url)

        assert outcome.code == "provider_unavailable"
        assert len(server.requests) == 1

    async def test_an_unreachable_provider_is_tried_again_and_then_reported(self) -> None:
        async with ModelServer() as gone:
            pass

        outcome = await self.sample(gone.url, max_retries=2)

        assert outcome.code == "provider_unavailable"
        assert outcome.waits == [2.0, 4.0]

    async def test_an_error_inside_the_stream_keeps_the_text(self, server: ModelServer) -> None:
        server.script([Text("Half an"), BreakInside(self.subject.broken_kind, "it broke")])

        outcome = await self.sample(server.url)

        assert outcome.text == "Half an"
        assert outcome.code == "provider_unavailable"
        assert "it broke" in str(outcome.error)
        assert len(server.requests) == 1

    @pytest.mark.parametrize(
        "steps",
        [
            pytest.param([Cut()], id="cut"),
            pytest.param([End()], id="no-terminal-event"),
            pytest.param([BreakInside("rate_limit_error")], id="error"),
        ],
    )
    async def test_a_stream_that_breaks_before_any_output_is_repeated(
        self, server: ModelServer, steps: Sequence[Any]
    ) -> None:
        server.script(steps, [Text("Second try.")])

        outcome = await self.sample(server.url)

        assert outcome.text == "Second try."
        assert len(outcome.retries) == 1

    @pytest.mark.parametrize(
        "last", [pytest.param(Cut(), id="cut"), pytest.param(End(), id="no-terminal-event")]
    )
    async def test_a_stream_that_breaks_off_keeps_the_text(self, server: ModelServer, last: Any) -> None:
        server.script([Text("Half an"), last])

        outcome = await self.sample(server.url)

        assert outcome.text == "Half an"
        assert outcome.code == "stream_interrupted"
        assert not any(isinstance(event, Finished) for event in outcome.events)
        assert len(server.requests) == 1

    async def test_silence_in_the_stream_ends_it(self, server: ModelServer) -> None:
        server.script([Text("Half an"), Silence()])

        outcome = await self.sample(server.url, timeout_seconds=0.3)

        assert outcome.text == "Half an"
        assert outcome.code == "stream_interrupted"
        assert "0.3 s" in str(outcome.error)

    async def test_silence_before_any_output_is_repeated_once(self, server: ModelServer) -> None:
        server.script([Silence()], [Silence()])

        outcome = await self.sample(server.url, timeout_seconds=0.3)

        assert outcome.code == "stream_interrupted"
        assert len(server.requests) == 2

    async def test_a_provider_that_does_not_answer_is_asked_twice(self, server: ModelServer) -> None:
        server.script([Unanswered()], [Unanswered()])

        outcome = await self.sample(server.url, timeout_seconds=0.3)

        assert outcome.code == "provider_unavailable"
        assert "0.3 s" in str(outcome.error)
        assert len(server.requests) == 2

    async def test_garbage_in_the_stream_is_reported(self, server: ModelServer) -> None:
        server.script([Text("Half an"), Garbage()])

        outcome = await self.sample(server.url)

        assert outcome.text == "Half an"
        assert outcome.code == "malformed_stream"

    async def test_an_event_of_the_wrong_shape_is_reported(self, server: ModelServer) -> None:
        server.script([Text("Half an"), Garbage(self.subject.wrong_shape)])

        outcome = await self.sample(server.url)

        assert outcome.text == "Half an"
        assert outcome.code == "malformed_stream"

    async def test_events_of_unknown_types_are_skipped(self, server: ModelServer) -> None:
        unknown = b'event: response.future\ndata: {"type": "response.future", "choices": []}\n\n'
        server.script([Text("One "), Garbage(unknown), Text("two.")])

        outcome = await self.sample(server.url)

        assert outcome.text == "One two."

    async def test_characters_that_no_store_takes_are_replaced(self, server: ModelServer) -> None:
        server.script([Text("a\x00b\ud800c é 🎉")])

        outcome = await self.sample(server.url)

        assert outcome.text == "a\ufffdb\ufffdc é 🎉"

    async def test_cancelling_the_consumer_closes_the_connection(self, server: ModelServer) -> None:
        server.script([Text("Half an"), Silence()])
        started = asyncio.Event()

        async def consume(model: Model) -> None:
            async for event in model.sample(self.request()):
                if isinstance(event, TextDelta):
                    started.set()

        async with self.model(server.url, []) as model, asyncio.timeout(DEADLINE):
            consumer = asyncio.create_task(consume(model))
            await started.wait()
            consumer.cancel()
            with pytest.raises(asyncio.CancelledError):
                await consumer

            await server.requests[0].left.wait()

    async def test_cancelling_before_the_answer_begins_closes_the_connection(
        self, server: ModelServer
    ) -> None:
        server.script([Unanswered()])

        async with self.model(server.url, []) as model, asyncio.timeout(DEADLINE):
            stream: Any = model.sample(self.request())
            consumer = asyncio.create_task(anext(stream))
            recorded = await server.request()
            consumer.cancel()
            with pytest.raises(asyncio.CancelledError):
                await consumer

            await recorded.left.wait()

    async def test_a_finished_answer_leaves_its_connection_for_the_next(self, server: ModelServer) -> None:
        async with self.model(server.url, []) as model, asyncio.timeout(DEADLINE):
            for _ in range(3):
                events = [event async for event in model.sample(self.request())]
                assert events[-1] == Finished("stop")

        assert server.connections == 1

    async def test_nesting_too_deep_to_parse_is_reported(self, server: ModelServer) -> None:
        server.script([Text("Half an"), Garbage(b"event: message_delta\ndata: " + b"[" * 100_000 + b"\n\n")])

        outcome = await self.sample(server.url)

        assert outcome.text == "Half an"
        assert outcome.code in {"malformed_stream", "harness_error"}

    async def test_leaving_the_loop_early_closes_the_connection(self, server: ModelServer) -> None:
        server.script([Text("Half an"), Silence()])

        async with self.model(server.url, []) as model, asyncio.timeout(DEADLINE):
            sample: Any = model.sample(self.request())
            async with aclosing(sample):
                await anext(sample)

            await server.requests[0].left.wait()

    async def test_one_model_serves_several_samples_at_once(self, server: ModelServer) -> None:
        async with self.model(server.url, []) as model, asyncio.timeout(DEADLINE):

            async def ask(word: str) -> str:
                stream = model.sample(self.request(user(word)))
                return "".join([event.text async for event in stream if isinstance(event, TextDelta)])

            answers = await asyncio.gather(*(ask(word) for word in ("one", "two", "three")))

        assert answers == ["You said: one", "You said: two", "You said: three"]

    async def test_a_missing_key_is_reported_without_a_request(
        self, server: ModelServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in self.subject.keys:
            monkeypatch.delenv(name, raising=False)

        outcome = await self.sample(server.url, api_key="")

        assert outcome.code == "authentication_error"
        assert server.requests == []
