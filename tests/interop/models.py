"""The scripted model server in a thread of the test, which keeps what it was asked."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.model_server import Call, ModelServer, Prompt, Reply, Text, Tokens
from tests.model_server.sentences import follow

WAKE = "[System: sub-agent "


class Models:
    """Follows the sentences of the scripted harness, and keeps every prompt."""

    def __init__(self) -> None:
        self.prompts: list[Prompt] = []
        self.server = ModelServer(respond=self.respond)

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.server.url

    @property
    def are_answered(self) -> bool:
        """Whether no answer is on its way."""
        return self.server.answered == len(self.prompts)

    def respond(self, prompt: Prompt) -> Reply:
        """One answer; the inbox is told of and read in other words than ours."""
        self.prompts.append(prompt)
        speaker, text = prompt.said[-1]
        if speaker == "user" and text.startswith(WAKE):
            return [Call("sys_read_inbox"), Tokens()]
        if speaker == "tool" and f"{WAKE}task " in text:
            return [Text(f"The inbox has: {text}"), Tokens()]
        return follow(prompt)

    def told(self, text: str) -> list[int]:
        """For each prompt that has this message of a user: how often it has it."""
        counts = [
            sum(speaker == "user" and text in said for speaker, said in one.said) for one in self.prompts
        ]
        return [count for count in counts if count]


@contextmanager
def running_models() -> Iterator[Models]:
    """Serve on loopback until the end of the block."""
    models = Models()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="models", daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(models.server.__aenter__(), loop).result(10)
    try:
        yield models
    finally:
        asyncio.run_coroutine_threadsafe(models.server.__aexit__(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
