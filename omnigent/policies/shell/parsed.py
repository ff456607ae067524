"""What the shell parser found: simple commands, and what it could not read."""

from dataclasses import dataclass

MAX_DEPTH = 4
"""How many times a command inside a command (`sh -c`, `eval`, `env -S`) is opened."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """One simple command: `git push origin main` of `cd x && FOO=1 sudo git push origin main > log`.

    `words` have lost their quotes, environment assignments, redirections and wrappers (sudo, timeout ...);
    expansions stay as they were written (`$X`, `*.py`). They may be empty when the segment is unreadable.
    `raw` is the text as written. `redirects` are the targets of redirections. `depth` is 0 for the command
    line itself and grows by one inside each `sh -c`, `eval` or `env -S`.
    `fault` says why the words do not tell what will be run: open quotes, a computed name (`$X`, `sl?ep`),
    an option in the place of the name, a program that runs others (find, xargs, python ...), a shell
    whose script is not shown.
    """

    words: tuple[str, ...]
    raw: str
    depth: int = 0
    redirects: tuple[str, ...] = ()
    fault: str = ""

    @property
    def is_readable(self) -> bool:
        """Whether the words are what will be run."""
        return not self.fault

    @property
    def name(self) -> str:
        """The program without its folder; empty when there are no words."""
        return self.words[0].rsplit("/", 1)[-1] if self.words else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Parsed:
    """A command line.

    `fault` is not empty when syntax was met that is not followed (substitutions, comments, heredocs ...):
    `segments` then holds only what had ended cleanly before it, and `unread` the text from there on.
    `is_too_deep` says that commands are nested
    more than MAX_DEPTH deep; what is inside is then not shown.
    """

    segments: tuple[Segment, ...]
    fault: str = ""
    unread: str = ""
    is_too_deep: bool = False

    @property
    def is_supported(self) -> bool:
        """Whether all of the syntax was followed. Unreadable segments do not count against it."""
        return not self.fault
