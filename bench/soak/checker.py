"""The promises, read from what every client saw: each fault is one line."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

from bench.soak.follower import Follower, Seen
from bench.soak.speaker import Deed, Speaker
from omnigent.protocol.sse import Decoder

PAGE = 100


async def transcript(client: httpx.AsyncClient, url: str, session_id: str) -> list[dict[str, Any]]:
    """All items, oldest first."""
    items: list[dict[str, Any]] = []
    while True:
        after = {"after": items[-1]["id"]} if items else {}
        query = {"limit": PAGE, "order": "asc", **after}
        page = (await client.get(f"{url}/v1/sessions/{session_id}/items", params=query)).json()
        items += page["data"]
        if not page["has_more"]:
            return items


async def replay(
    client: httpx.AsyncClient, url: str, session_id: str, last_id: int, lines: list[str]
) -> Seen:
    """The log up to an id, as a new reader gets it; a line for each frame goes to `lines`."""
    seen, decoder = Seen(), Decoder()
    path = f"{url}/v1/sessions/{session_id}/stream"
    async with client.stream("GET", path, params={"after": "0"}) as answer:
        async for chunk in answer.aiter_bytes():
            for message in decoder.feed(chunk):
                if message.id and seen.last_id < last_id:
                    seen.take(message)
                    lines.append(f"{message.id} {message.event} {message.data[:300]}")
            if seen.last_id >= last_id:
                break
    return seen


def words(item: dict[str, Any]) -> str:
    """A message's text."""
    return "".join(block.get("text", "") for block in item.get("content", ()))


def inputs(items: Sequence[dict[str, Any]], said: Sequence[Deed]) -> Iterator[str]:
    """R1: what was accepted is there once, in order, and nothing else."""
    stored = [words(item) for item in items if item["type"] == "message" and item["role"] == "user"]
    expected = [deed.text for deed in said]
    if stored != expected:
        yield f"R1: {len(expected)} messages were accepted, {len(stored)} are stored, or in another order"


def answers(items: Sequence[dict[str, Any]]) -> Iterator[str]:
    """R7: the numbers that the assistant says are those that messages ask for, or their beginnings, in the
    order of the messages: nothing doubled, and nothing of an older runner.

    A runner that was given up in the middle and comes back goes on from there, also behind the next message.
    """
    wanted: list[int] = []
    # (which count, how far it has come), wherever the assistant may stand.
    places = {(-1, 0)}
    for item in items:
        if item["type"] != "message":
            continue
        text = words(item)
        if item["role"] == "user":
            wanted += [int(text.split()[2])] if text.startswith("Count to") else []
            continue
        for number in (int(word) for word in text.split() if word.isdigit()):
            goes_on = {(at, number) for at, said in places if at >= 0 and said + 1 == number <= wanted[at]}
            first = min(at for at, _ in places) + 1
            begins = {(at, 1) for at in range(first, len(wanted))} if number == 1 else set()
            places = goes_on | begins
            if not places:
                yield f"R7: {number} is no part of an answer in {text!r}"
                return


def effects(speaker: Speaker) -> Iterator[str]:
    """R5: one of two verdicts counts and both are told it; nothing is done twice, or after a no."""
    lines = speaker.file.read_text().split() if speaker.file.exists() else []
    for deed in speaker.said:
        done = lines.count(deed.token) if deed.token else 0
        if done > 1:
            yield f"R1: {deed.text!r} was done {done} times"
        consents = [one for one in speaker.verdicts if deed.token in one.command and one.counts == "accept"]
        if deed.asks and done and not consents:
            yield f"R5: {deed.text!r} was done without consent"
    verdicts = {one.question: set[str]() for one in speaker.verdicts}
    for one in speaker.verdicts:
        verdicts[one.question].add(one.counts)
    for question, actions in verdicts.items():
        if len(actions) > 1:
            yield f"R5: {question} was resolved as {sorted(actions)}"


def streams(followers: Sequence[Follower], log: Seen) -> Iterator[str]:
    """R2: every reader has the log, without gap or double."""
    for follower in followers:
        yield from (f"R2: {fault}" for fault in follower.seen.faults[:3])
        if follower.seen.last_id != log.last_id:
            yield f"R2: a reader has {follower.seen.last_id} of {log.last_id}"
        elif follower.seen.digest.digest() != log.digest.digest():
            yield "R2: a reader has other frames than the log"
    yield from (f"R2: the log itself: {fault}" for fault in log.faults[:3])


async def check(
    client: httpx.AsyncClient,
    url: str,
    speaker: Speaker,
    followers: Sequence[Follower],
    logs: Path | None,
) -> list[str]:
    """Every broken promise of one session; the history of a broken one goes to `logs`."""
    history: list[str] = []
    session = (await client.get(f"{url}/v1/sessions/{speaker.session_id}?include_items=false")).json()
    items = await transcript(client, url, speaker.session_id)
    log = await replay(client, url, speaker.session_id, max(one.seen.last_id for one in followers), history)
    faults = [*speaker.faults, *inputs(items, speaker.said), *answers(items), *effects(speaker)]
    faults += streams(followers, log)
    if session["status"] not in ("idle", "failed"):
        faults.append(f"R3: the session is {session['status']}")
    if faults and logs is not None:
        text = "\n".join([*faults, *map(str, items), *history])
        (logs / f"{speaker.session_id}.txt").write_text(text)
    return [f"{speaker.session_id}: {fault}" for fault in faults]
