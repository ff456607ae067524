"""An application of the test settings alone: it empties the database between tests."""
