"""What policies decide about sessions: facts, chains, records, and actions that are held."""
