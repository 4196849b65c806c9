"""A client as a process of its own: opens a TCP connection, asks for the page, prints it.

Runs as a script: `client.py ADDRESS [SOURCE]`. Ends with 1 and one line on stderr if there is no answer.
"""

from __future__ import annotations

import http.client
import sys

TIMEOUT = 5.0
"""Seconds."""


def main(address: str, source: str | None = None) -> None:
    """Print what the server at `address` answers."""
    connection = http.client.HTTPConnection(
        address, 80, timeout=TIMEOUT, source_address=None if source is None else (source, 0)
    )
    try:
        connection.request("GET", "/")
        print(connection.getresponse().read().decode(), end="")
    except OSError as error:
        sys.exit(f"{address}: {error}")
    finally:
        connection.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
