"""Routes of identity: logins, tokens, invitations, and who is calling."""
