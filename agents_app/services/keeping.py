"""Storing a bundle's bytes, and healing the agents whose bundle could not be read before."""

from agents_app.models import Agent
from agents_app.storage import save_bundle


def keep(digest: str, packed: bytes) -> None:
    """Store a packed bundle under its digest; one that could not be read is replaced."""
    unreadable = Agent.objects.filter(digest=digest).exclude(load_error="")
    is_suspect = unreadable.exists()
    save_bundle(digest, packed, is_suspect=is_suspect)
    if is_suspect:
        unreadable.update(load_error="")
