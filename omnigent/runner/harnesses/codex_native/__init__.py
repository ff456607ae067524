"""The `codex-native` harness: Codex in its own terminal."""
