"""The `claude-native` harness: Claude Code in its own terminal."""
