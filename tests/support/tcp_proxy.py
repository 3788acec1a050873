"""A TCP proxy between two processes that delays, throttles, cuts and swallows what it passes on."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
import termios
import threading
import time
from dataclasses import dataclass, field

CHUNK_BYTES = 64 << 10
# How soon a pump that stands sees that it may go on, or that its connection was cut.
POLL_S = 0.02


@dataclass(eq=False)
class _Connection:
    """One connection through the proxy: the accepted side and the one to the target."""

    accepted: socket.socket
    opened: socket.socket
    cut: threading.Event = field(default_factory=threading.Event)

    def close(self) -> None:
        """At once and without a farewell: both sides get a reset."""
        self.cut.set()
        for side in (self.accepted, self.opened):
            with contextlib.suppress(OSError):
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(OSError):
                side.close()


class TcpProxy:
    """Listens on a port of the system's choice and passes everything on to `target`, which may be set later and may
    change; without one, connections are refused. The faults hold for all connections, in both directions:

    - `delay(seconds)`: each piece of up to 64 KiB waits so long before it is passed on,
    - `throttle(bytes_per_second)`,
    - `hold()`: nothing is passed on any more, and the senders' windows fill,
    - `swallow()`: everything is read and goes nowhere: a half-open connection,
    - `cut()`: now; `cut_after(bytes)`: when so many more bytes have passed, so mostly inside of a frame,
    - `refuse()`: cuts, and refuses new connections,
    - `heal()`: ends all of them; connections that have lost bytes are cut.
    """

    def __init__(self, target: str = "") -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._lock = threading.Lock()
        self._target = target
        self._connections: set[_Connection] = set()
        self._delay_s = 0.0
        self._bytes_per_second = 0.0
        self._holding = False
        self._swallowing = False
        self._refusing = False
        self._bytes_before_cut: int | None = None
        self.num_cuts = 0
        self.bytes_passed = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def set_target(self, target: str) -> None:
        with self._lock:
            self._target = target

    def delay(self, seconds: float) -> None:
        self._delay_s = seconds

    def throttle(self, bytes_per_second: float) -> None:
        self._bytes_per_second = bytes_per_second

    def hold(self) -> None:
        self._holding = True

    def swallow(self) -> None:
        self._swallowing = True

    def refuse(self) -> None:
        self._refusing = True
        self.cut()

    def cut_after(self, num_bytes: int) -> None:
        with self._lock:
            self._bytes_before_cut = num_bytes

    def cut(self) -> int:
        """Returns how many connections there were."""
        with self._lock:
            cut = list(self._connections)
            self._connections.clear()
            self.num_cuts += len(cut)
        for connection in cut:
            connection.close()
        return len(cut)

    def heal(self) -> None:
        with self._lock:
            self._bytes_before_cut = None
        if self._swallowing:
            self.cut()
        self._delay_s = self._bytes_per_second = 0.0
        self._holding = self._swallowing = self._refusing = False

    def close(self) -> None:
        # A thread in accept() does not see that its socket was closed, but that it was shut down.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                target = self._target
            if self._refusing or not target:
                accepted.close()
                continue
            host, port = target.rsplit(":", 1)
            try:
                opened = socket.create_connection((host, int(port)), timeout=5)
            except OSError:
                accepted.close()
                continue
            opened.settimeout(None)
            connection = _Connection(accepted, opened)
            for side in (accepted, opened):
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._connections.add(connection)
            for source, sink in ((accepted, opened), (opened, accepted)):
                threading.Thread(target=self._pump, args=(connection, source, sink), daemon=True).start()

    def _pump(self, connection: _Connection, source: socket.socket, sink: socket.socket) -> None:
        """Passes on one direction. The end of one direction ends both: nobody here half-closes."""
        with contextlib.suppress(OSError):
            while not connection.cut.is_set():
                data = source.recv(CHUNK_BYTES)
                while self._holding and not connection.cut.is_set():
                    connection.cut.wait(POLL_S)
                if not data:
                    break
                if not self._pass_on(connection, data, sink):
                    break
        with self._lock:
            self._connections.discard(connection)
        connection.close()

    def _pass_on(self, connection: _Connection, data: bytes, sink: socket.socket) -> bool:
        """False when the connection is to be cut, of which a part of the data may have passed."""
        if self._swallowing:
            return True
        wait_s = self._delay_s
        if self._bytes_per_second > 0:
            wait_s += len(data) / self._bytes_per_second
        if wait_s > 0:
            connection.cut.wait(wait_s)
        with self._lock:
            left = self._bytes_before_cut
            if left is not None:
                self._bytes_before_cut = left - len(data) if left > len(data) else None
            self.bytes_passed += len(data)
        if left is None or left > len(data):
            sink.sendall(data)
            return True
        sink.sendall(data[:left])
        # The part that passes is to arrive before the reset does.
        deadline = time.monotonic() + 1
        while _unsent_bytes(sink) > 0 and time.monotonic() < deadline:
            connection.cut.wait(0.001)
        with self._lock:
            self.num_cuts += 1
        return False


def _unsent_bytes(sink: socket.socket) -> int:
    """What the other side has not yet acknowledged (SIOCOUTQ)."""
    return struct.unpack("i", fcntl.ioctl(sink.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]
