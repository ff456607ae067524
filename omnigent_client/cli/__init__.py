"""The `omnigent` command: sessions from a terminal. Needs the package's extra `cli`."""
