"""Runs the emulator on a port: in the foreground, or beside a test in a thread of its own."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dispatcher.emulator.app import create_app
from dispatcher.emulator.config import EmulatorConfig
from dispatcher.emulator.responses import DROP

_BACKLOG = 2048


class CuttingProtocol(HttpToolsProtocol):
    """Lends each request the means to cut its connection, which ASGI has no word for."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        cast(dict[str, object], self.scope)[DROP] = self.transport.abort


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningEmulator:
    """Where a running emulator is, and the credentials that it wants."""

    url: str
    config: EmulatorConfig

    @property
    def line(self) -> str:
        """What `serve` prints first."""
        c = self.config
        return f"emulator: {self.url} project={c.project_id} key={c.key_id} secret={c.key_secret}"


def listen(config: EmulatorConfig) -> tuple[socket.socket, RunningEmulator]:
    """Take the port (0: any free one). Raises OSError if that is not possible."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((config.host, config.port))
        taken.listen(_BACKLOG)
    except OSError:
        taken.close()
        raise
    host = f"[{config.host}]" if family == socket.AF_INET6 else config.host
    return taken, RunningEmulator(url=f"http://{host}:{taken.getsockname()[1]}", config=config)


def _server(config: EmulatorConfig) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            create_app(config),
            http=CuttingProtocol,
            ws="none",
            proxy_headers=False,
            log_level="warning",
            access_log=False,
            backlog=_BACKLOG,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
        )
    )


def serve(config: EmulatorConfig) -> None:
    """Run until interrupted; prints one line with the address and the credentials first.

    Raises:
        OSError: the port cannot be taken.
    """
    taken, running = listen(config)
    print(running.line, flush=True)  # noqa: T201 - the line that scripts read
    # Interrupting is the ordinary way to end it.
    with taken, suppress(KeyboardInterrupt):
        _server(config).run(sockets=[taken])


@contextmanager
def running(config: EmulatorConfig) -> Iterator[RunningEmulator]:
    """Run beside the caller, in a thread, for as long as the context lasts."""
    taken, where = listen(config)
    server = _server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]}, name="emulator", daemon=True)
    thread.start()
    try:
        yield where
    finally:
        server.should_exit = True
        thread.join()
        taken.close()
