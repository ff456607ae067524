"""Views of policies, of what was decided, and of kill switches."""
