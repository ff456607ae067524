"""A session's environment: the files that its agent's tools work on, for the people of the session."""
