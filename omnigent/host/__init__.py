"""The machine-side daemon: registers with a server and starts and stops runners for it."""
