"""Writes to users, their tokens and their logins."""
