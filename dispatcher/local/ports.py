"""Finds free ports, and checks that a port is free."""

import socket

from dispatcher.local.errors import StartFailed


def free_port() -> int:
    """Return a port of the loopback address on which no process listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def ensure_port_free(host: str, port: int, variable: str = "BULKFAX_PORT") -> None:
    """Check that this process could listen on a port, which the setting ``variable`` names.

    Raises:
        StartFailed: Another process listens on it, or the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise StartFailed(
            f"port {port} on {host} cannot be listened on ({error.strerror}): stop what uses it, "
            f"or choose another with {variable}"
        ) from error
