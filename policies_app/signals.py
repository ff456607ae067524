"""News for the floors above."""

from django.dispatch import Signal

kill_switch_thrown = Signal()
"""Sent after the commit when an administrator has stopped an agent, a person or a host."""
