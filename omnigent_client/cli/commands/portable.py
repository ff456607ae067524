"""`export` and `import`: sessions as files."""

import asyncio
import os
import tempfile
from pathlib import Path

from omnigent_client.cli.exits import OK, CommandError, UsageError
from omnigent_client.cli.finding import find_session
from omnigent_client.cli.safe_text import clean_line, json_line
from omnigent_client.cli.task import Task

STANDARD = "-"


async def export(task: Task) -> int:
    """Write the server's bytes as they are; on a terminal Markdown only, made harmless."""
    options, screen = task.options, task.screen
    is_file = options.output != STANDARD
    if not is_file and screen.is_terminal and not options.markdown:
        raise UsageError("an archive is not for a terminal; name a file with -o FILE, or use --markdown")
    if is_file and not options.force and await asyncio.to_thread(os.path.lexists, options.output):
        raise CommandError(f"{options.output} exists; --force replaces it")
    async with task.open_client() as client:
        session_id = await find_session(client, options.session)
        content = await client.export(session_id, format="markdown" if options.markdown else "archive")
    if is_file:
        await asyncio.to_thread(_write, Path(options.output), content, is_new=not options.force)
    elif screen.is_terminal:
        screen.say(content.decode(errors="replace").rstrip("\n"))
    else:
        screen.flush()
        task.surroundings.binary_output.write(content)
        task.surroundings.binary_output.flush()
    return OK


async def import_(task: Task) -> int:
    """Print the new session's id, and on the side what could not be brought along."""
    content = await asyncio.to_thread(_read, task)
    async with task.open_client() as client:
        made = await client.import_(content)
    task.screen.say(clean_line(str(made.session_id or made.id)))
    if made.missing:
        task.screen.tell(f"Missing: {json_line(made.missing)}")
    return OK


def _read(task: Task) -> bytes:
    name = task.options.file
    try:
        return task.surroundings.binary_input.read() if name == STANDARD else Path(name).read_bytes()
    except OSError as error:
        raise CommandError(f"cannot read {name}: {error.strerror}") from error


def _write(path: Path, content: bytes, *, is_new: bool) -> None:
    """The whole file or none. A session may hold secrets: it is for its owner's eyes."""
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with open(descriptor, "wb") as file:
                file.write(content)
            if is_new:
                # Fails, unlike a rename, when somebody made the file meanwhile.
                os.link(name, path)
                os.unlink(name)
            else:
                os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}") from error
