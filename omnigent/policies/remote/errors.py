"""The failure of a url policy."""


class RemotePolicyError(Exception):
    """A url policy gave no usable answer; the message says why, in words. The engine denies."""
