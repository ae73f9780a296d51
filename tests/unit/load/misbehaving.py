"""A real HTTP server on loopback that answers, resets, hangs or lies, as the test tells it to."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

OK = b'HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n{"a": {"b": [1,2]}}'
ERROR = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops"

# What the server does with request number n (from 0) on connection number c: bytes to send, or an act.
Script = Callable[["Exchange"], None]


class Exchange:
    """One request, with the socket that it came on."""

    def __init__(self, sock: socket.socket, stopped: threading.Event, number: int, request: bytes) -> None:
        self.sock = sock
        self.stopped = stopped
        self.number = number
        self.request = request

    def answer(self, data: bytes) -> None:
        self.sock.sendall(data)

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RD)
        self.sock.close()

    def pause(self, seconds: float) -> None:
        self.stopped.wait(seconds)


class Server:
    """Counts connections and requests; every connection has a thread."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._lock = threading.Lock()
        self.stopped = threading.Event()
        self.connections = 0
        self.requests = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._listener.settimeout(0.1)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/x"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while not self.stopped.is_set():
            try:
                sock, _ = self._listener.accept()
            except TimeoutError:
                continue
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        sock.settimeout(0.2)
        with sock, contextlib.suppress(OSError):
            while sock.fileno() >= 0 and not self.stopped.is_set():
                request = self._read_request(sock)
                if request is None:
                    return
                with self._lock:
                    number = self.requests
                    self.requests += 1
                self._script(Exchange(sock, self.stopped, number, request))

    def _read_request(self, sock: socket.socket) -> bytes | None:
        data = b""
        while not self.stopped.is_set():
            head, blank, body = data.partition(b"\r\n\r\n")
            if blank and len(body) >= _body_size(head):
                return data
            with contextlib.suppress(TimeoutError):
                if not (got := sock.recv(65536)):
                    return None
                data += got
        return None

    def stop(self) -> None:
        self.stopped.set()
        for thread in self._threads:
            thread.join()
        self._listener.close()


def _body_size(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


@contextlib.contextmanager
def misbehaving(script: Script) -> Iterator[Server]:
    server = Server(script)
    try:
        yield server
    finally:
        server.stop()


def free_port() -> int:
    """A loopback port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port
