"""The `openai-agents` harness: OpenAI's own agent loop, the `openai-agents` package, runs the turns."""
