"""The `claude-sdk` harness: Anthropic's own agent loop, the program Claude Code, behind its library."""
