"""What is done to the bytes of an upload before a session has them: told apart, checked, shrunk, stored."""
