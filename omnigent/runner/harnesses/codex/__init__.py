"""The `codex` harness: the Codex CLI runs the turns, driven through its app-server protocol."""
