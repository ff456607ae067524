"""The only writers of policies, kill switches and the decision log."""
