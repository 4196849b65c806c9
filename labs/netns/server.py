"""A server with a banner of its own: HTTP and TCP on port 80, an echo of datagrams on UDP port 7.

The page is two lines: the banner, and the client's address as the server saw it. So is what a datagram
brings back, behind its first eight bytes. Runs as a script: `server.py BANNER ADDRESS…`.
"""

from __future__ import annotations

import http.server
import socket
import socketserver
import sys
import threading

HTTP_PORT = 80
ECHO_PORT = 7
TAG = 8
"""Bytes of a datagram that come back as they were."""


class Server(http.server.ThreadingHTTPServer):
    """An HTTP server that does not look up its own name: there is no DNS in a lab."""

    daemon_threads = True

    def __init__(self, address: str, page: type[http.server.BaseHTTPRequestHandler]) -> None:
        self.address_family = family_of(address)
        super().__init__((address, HTTP_PORT), page)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), HTTP_PORT


def family_of(address: str) -> socket.AddressFamily:
    """The family of an address in text."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def page_of(banner: str) -> type[http.server.BaseHTTPRequestHandler]:
    """A class of requests that all get the same page."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"{banner}\n{self.client_address[0]}\n".encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            print(self.client_address[0], format % args, flush=True)

    return Page


def echo(banner: str, address: str) -> None:
    """Answer datagrams for ever."""
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as echoing:
        echoing.bind((address, ECHO_PORT))
        while True:
            datagram, sender = echoing.recvfrom(2048)
            try:
                echoing.sendto(datagram[:TAG] + f"{banner}\n{sender[0]}\n".encode(), sender)
            except OSError as error:
                print(f"no answer to {sender[0]}: {error}", flush=True)


def main(banner: str, addresses: list[str]) -> None:
    """Serve on all addresses until killed."""
    for address in addresses:
        server = Server(address, page_of(banner))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        threading.Thread(target=echo, args=(banner, address), daemon=True).start()
    print("serving", *addresses, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
