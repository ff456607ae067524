"""Work trees as the server makes, notes and removes them."""
