"""`python -m omnigent_client` is the command line tool."""

import sys

from omnigent_client.cli.entry import main

if __name__ == "__main__":
    sys.exit(main())
