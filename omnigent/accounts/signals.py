"""News for the floors above."""

from django.dispatch import Signal

access_changed = Signal()
"""Sent after the commit when somebody may do less, or other things, than before: `username`, and
`ends_tunnels` when the credential of a host or runner may be among what has ended.
"""
