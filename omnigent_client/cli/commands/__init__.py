"""One module a subject; each function is what one command does."""
