"""How an outbound request fails.

OutboundError
  + Refused      the rules do not permit the URL or an address behind it
  + NotReached   no address, no connection, an untrusted certificate or a broken line
  + TooSlow      the time for the whole request is over
  + BadAnswer    an answer came, but it is too large or encoded

Messages may be shown to users: they name the host, never an address or the rest of the URL.
"""


class OutboundError(Exception):
    """An outbound request that gave no answer."""


class Refused(OutboundError):
    """The rules do not permit the URL or an address behind its name."""


class NotReached(OutboundError):
    """No address, no connection, an untrusted certificate or a broken line."""


class TooSlow(OutboundError):
    """The time for the whole request is over."""


class BadAnswer(OutboundError):
    """An answer came that is too large or encoded."""
