"""Logging in by another service (OpenID Connect). Imported only where one is configured."""
