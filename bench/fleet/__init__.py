"""Tunnels, runners and hosts under measurement."""
