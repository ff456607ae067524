"""The reconnecting WebSocket client that runner and host share."""

from omnigent.link.client import Link, LinkDown, LinkHooks, is_loopback
from omnigent.link.rules import LinkClock, LinkEnd, LinkRules

__all__ = ["Link", "LinkClock", "LinkDown", "LinkEnd", "LinkHooks", "LinkRules", "is_loopback"]
