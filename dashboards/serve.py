"""Serving the pages until SIGTERM or Ctrl-C. The address is printed on stdout when they can be asked."""

from __future__ import annotations

import signal
import socket
import sys
from types import FrameType

import uvicorn
from fastapi import FastAPI

from kaukoluenta.errors import ConfigurationInvalid

_LAST_ANSWERS_S = 2


def serve(app: FastAPI, host: str, port: int) -> None:
    """Serve `app`; port 0 takes a free one. Returns after Ctrl-C, exits 0 on SIGTERM.

    Raises:
        ConfigurationInvalid: the address cannot be taken.
    """
    signal.signal(signal.SIGTERM, _leave)
    with _listen(host, port) as listener:
        sys.stdout.write(f"Open {_address(listener)}\n")
        sys.stdout.flush()
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=_LAST_ANSWERS_S,
        )
        uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigurationInvalid(
            f"The pages cannot listen on {host} port {port}: {error.strerror or error}.",
            remedy="Choose another [dashboards] host or port, or end what holds it.",
        ) from None


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _leave(signum: int, frame: FrameType | None) -> None:
    """uvicorn ends on SIGTERM by itself and then raises the signal again: that is no failure."""
    sys.exit(0)
