"""When a request reached the machine, which may be long before a process short of CPU reads it."""

import asyncio
import socket
import struct
import sys
import time

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Where Linux's `struct tcp_info` tells the milliseconds since data came.
_LAST_DATA_RECEIVED = 52


class TimedProtocol(HttpToolsProtocol):
    """Notes when each request came: its caller's time has run since then."""

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.scope["state"]["arrived"] = time.monotonic() - _unread_seconds(self.transport)


def _unread_seconds(transport: asyncio.Transport) -> float:
    """How long its last bytes lay in the kernel, behind others to be accepted or for want of CPU.

    Linux knows of TCP; elsewhere nobody does.
    """
    connection = transport.get_extra_info("socket")
    if sys.platform != "linux" or connection.family == socket.AF_UNIX:
        return 0.0
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_DATA_RECEIVED + 4)
    if len(info) < _LAST_DATA_RECEIVED + 4:
        return 0.0
    milliseconds: int = struct.unpack_from("I", info, _LAST_DATA_RECEIVED)[0]
    return milliseconds / 1000
