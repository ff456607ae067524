"""A program that exchanges two names in its working directory, as fast as it can, until its input ends."""

import ctypes
import os
import sys
import threading

EXCHANGE = 2


def main() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    here = os.open(".", os.O_RDONLY)
    one, two = (name.encode() for name in sys.argv[1:3])
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while not over.is_set():
        libc.renameat2(here, one, here, two, EXCHANGE)


if __name__ == "__main__":
    main()
