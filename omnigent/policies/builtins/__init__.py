"""The policies that come with the server, one module a subject."""
