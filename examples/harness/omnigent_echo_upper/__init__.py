"""An example of a harness in a package of its own."""
