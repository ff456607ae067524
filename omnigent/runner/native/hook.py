"""The command of a program's hook: hands the event on its standard input to the runner, prints the answer.

Run as a script with the standard library only; the argument is the runner's socket. Whatever goes wrong ends
with code 2, by which the programs understand that what they asked about must not be.
"""

import socket
import sys


def main(address: str) -> None:
    """Ask, and wait for as long as it takes."""
    event = sys.stdin.buffer.read()
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(address)
        link.sendall(b"%d\n" % len(event) + event)
        answer = b"".join(iter(lambda: link.recv(65536), b""))
    if not answer.endswith(b"\n"):
        raise OSError("the runner went away")
    sys.stdout.buffer.write(answer)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except Exception as error:  # noqa: BLE001 - nothing may pass because of a fault here
        sys.stderr.write(f"Denied: the session's runner could not be asked ({error}).\n")
        sys.exit(2)
