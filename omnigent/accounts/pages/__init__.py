"""Identity in a browser: pages that work without scripts, on the services that the API uses."""
