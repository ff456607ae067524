"""Answers of the session routes as models, for their description; what is sent is built elsewhere."""
