"""The archive of a session tree: its format, a writer that streams it, a reader that trusts nothing in it."""
