"""A long run under trouble, and a checker that reads what every client saw."""
