"""What can go wrong with a terminal."""


class TerminalError(Exception):
    """The message is for whoever asked: a model or a person."""
