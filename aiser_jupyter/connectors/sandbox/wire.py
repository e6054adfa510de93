"""What a server and the process that runs DuckDB for it say to each other.

Frames on a Unix socket: one byte for the kind, eight for the length, then the payload. Kind ``J`` is a small
JSON object, kind ``A`` a piece of an Arrow IPC stream. Nothing else is understood, so nothing that arrives
becomes code. A socket's buffer is the only place where rows wait: who writes faster than the other reads is
held up.
"""

from __future__ import annotations

import array
import json
import socket
import struct
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ... import errors
from ...errors import AiserError, QueryFailed, UsageError
from ...models import Notice
from ...run import Event, Handle, Phase, Progress

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "NO_MEMORY",
    "Channel",
    "Closed",
    "Incoming",
    "Outgoing",
    "decode",
    "encode",
    "error_of",
    "event_of",
    "pack_error",
    "pack_event",
]

NO_MEMORY = 77
"""Status that the process ends with where Python finds no memory."""
_HEAD = struct.Struct(">cQ")
_MOST_JSON = 64 * 1024**2
_MOST_ARROW = 2**40
_PIECE = 256 * 1024


class Closed(Exception):
    """The other side is gone."""


class Channel:
    """Frames over one end of a Unix socket. Frames may be sent from several threads; one thread receives.

    Parameters
    ----------
    end : socket.socket
        Closed with the channel.
    waiting : callable, optional
        Called several times a second while the other side is slow; what it raises ends the wait.
    """

    def __init__(self, end: socket.socket, waiting: Callable[[], None] | None = None) -> None:
        self._end = end
        self._waiting = waiting
        self._sending = threading.Lock()
        end.settimeout(None if waiting is None else 0.1)

    def send(self, message: Mapping[str, Any], end: socket.socket | None = None) -> None:
        """Send a JSON object, and an open socket to hand over after it. Raises `Closed`."""
        payload = json.dumps(message, separators=(",", ":")).encode()
        with self._sending:
            self._write([_HEAD.pack(b"J", len(payload)) + payload])
            if end is not None:
                self._hand_over(end)

    def offer(self, message: Mapping[str, Any]) -> None:
        """Send a JSON object only where that holds nobody up."""
        payload = json.dumps(message, separators=(",", ":")).encode()
        frame = _HEAD.pack(b"J", len(payload)) + payload
        if not self._sending.acquire(blocking=False):
            return
        try:
            sent = self._end.send(frame, socket.MSG_DONTWAIT)
            if sent < len(frame):
                self._write([frame[sent:]])
        except (OSError, Closed):
            return  # full, or gone: whoever needs to know finds out
        finally:
            self._sending.release()

    def send_arrow(self, parts: Iterable[Any]) -> None:
        """Send bytes of an Arrow stream as one frame. Raises `Closed`."""
        views = [memoryview(part).cast("B") for part in parts if len(part)]
        with self._sending:
            self._write([_HEAD.pack(b"A", sum(len(view) for view in views)), *views])

    def receive(self) -> dict[str, Any] | memoryview:
        """Return the next frame: an object, or bytes of an Arrow stream. Raises `Closed`."""
        kind, length = _HEAD.unpack(self._read(_HEAD.size))
        if kind == b"A" and length <= _MOST_ARROW:
            return self._read(length)
        if kind != b"J" or length > _MOST_JSON:
            raise Closed("a frame of no known kind")
        try:
            message = json.loads(bytes(self._read(length)))
        except ValueError as exc:
            raise Closed("a frame that is not JSON") from exc
        if not isinstance(message, dict):
            raise Closed("a frame that is no object")
        return message

    def answer(self) -> dict[str, Any]:
        """Return the next frame, which is an object. Raises `Closed`."""
        message = self.receive()
        if not isinstance(message, dict):
            raise Closed("rows that nobody asked for")
        return message

    def receive_socket(self) -> socket.socket:
        """Take over an open socket. Raises `Closed`."""
        try:
            byte, ancillary, _, _ = self._end.recvmsg(1, socket.CMSG_SPACE(array.array("i").itemsize))
        except OSError as exc:
            raise Closed(str(exc)) from exc
        for level, type_, data in ancillary:
            if byte == b"F" and level == socket.SOL_SOCKET and type_ == socket.SCM_RIGHTS:
                return socket.socket(fileno=array.array("i", data)[0])
        raise Closed("no socket came")

    def wait(self, seconds: float) -> bool:
        """Whether something can be received within ``seconds``."""
        import select

        return bool(select.select([self._end], [], [], seconds)[0])

    def close(self) -> None:
        """Close the socket; who waits on it is woken up. Safe to call twice."""
        with suppress(OSError):  # the other side closed it first
            self._end.shutdown(socket.SHUT_RDWR)
        self._end.close()

    def _read(self, length: int) -> memoryview:
        filled = bytearray(min(length, _PIECE))
        got = 0
        while got < length:
            if got == len(filled):  # grows as bytes arrive, not as a length says
                filled.extend(bytes(min(length, 2 * got) - got))
            try:
                count = self._end.recv_into(memoryview(filled)[got:])
            except TimeoutError:
                self._wait()
                continue
            except OSError as exc:
                raise Closed(str(exc)) from exc
            if not count:
                raise Closed("the other side closed the socket")
            got += count
        return memoryview(filled)

    def _write(self, parts: Iterable[Any]) -> None:
        for part in parts:
            rest = memoryview(part)
            while rest:
                try:
                    rest = rest[self._end.send(rest[: 4 * _PIECE]) :]
                except TimeoutError:
                    self._wait()
                except OSError as exc:
                    raise Closed(str(exc)) from exc

    def _hand_over(self, end: socket.socket) -> None:
        while True:
            try:
                socket.send_fds(self._end, [b"F"], [end.fileno()])
                return
            except TimeoutError:
                self._wait()
            except OSError as exc:
                raise Closed(str(exc)) from exc

    def _wait(self) -> None:
        if self._waiting is not None:
            self._waiting()


class Outgoing:
    """Writes record batches to a channel: one frame a batch, and the end of the stream."""

    def __init__(self, channel: Channel, schema: pa.Schema) -> None:
        import pyarrow as pa

        self._channel = channel
        self._parts: list[Any] = []
        self.closed = False  # this object is the file that Arrow writes to
        channel.send_arrow([schema.serialize()])  # the stream's own comes with the first batch only
        file: Any = self
        self._writer = pa.ipc.new_stream(pa.PythonFile(file, mode="w"), schema)

    def batch(self, batch: pa.RecordBatch) -> None:
        """Send one batch. Raises `Closed`."""
        self._writer.write_batch(batch)
        self._flush()

    def end(self) -> None:
        """Send the end of the stream. Raises `Closed`."""
        self._writer.close()
        self._flush()

    def write(self, data: Any) -> int:
        self._parts.append(data)
        return len(data)

    def flush(self) -> None:
        """Arrow asks for it; a batch is sent as a whole."""

    def close(self) -> None:
        self.closed = True

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        if parts:
            self._channel.send_arrow(parts)


class Incoming:
    """Reads what an `Outgoing` wrote.

    Parameters
    ----------
    channel : Channel
    message : callable
        Takes the JSON objects that stand between batches; what it raises ends the stream.

    Attributes
    ----------
    schema : pyarrow.Schema
    """

    def __init__(self, channel: Channel, message: Callable[[dict[str, Any]], None]) -> None:
        import pyarrow as pa

        self._channel = channel
        self._message = message
        self._left = memoryview(b"")
        self.closed = False  # this object is the file that Arrow reads from
        while not self._left:
            self._next()
        self.schema = pa.ipc.read_schema(pa.py_buffer(self._left))
        self._left = memoryview(b"")

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Give the batches, each checked. Raises `Closed`, and what ``message`` raises."""
        import pyarrow as pa

        file: Any = self
        for batch in pa.ipc.open_stream(pa.PythonFile(file, mode="r")):
            batch.validate()
            yield batch

    def read(self, size: int = -1) -> Any:
        """Return ``size`` bytes; what is there in one piece is not copied."""
        while not self._left:
            self._next()
        if len(self._left) >= size:
            piece, self._left = self._left[:size], self._left[size:]
            return piece
        parts = bytearray()
        while len(parts) < size:
            if not self._left:
                self._next()
            taken = self._left[: size - len(parts)]
            parts += taken
            self._left = self._left[len(taken) :]
        return parts

    def close(self) -> None:
        self.closed = True

    def _next(self) -> None:
        frame = self._channel.receive()
        if isinstance(frame, dict):
            self._message(frame)
        else:
            self._left = frame


# -- values, errors and events as JSON ----------------------------------------------------------------------

_WRITTEN: dict[type, tuple[str, Callable[[Any], Any]]] = {
    Decimal: ("decimal", str),
    datetime: ("datetime", datetime.isoformat),
    date: ("date", date.isoformat),
    time: ("time", time.isoformat),
    timedelta: ("timedelta", lambda value: [value.days, value.seconds, value.microseconds]),
    uuid.UUID: ("uuid", str),
    bytes: ("bytes", bytes.hex),
    bytearray: ("bytes", bytearray.hex),
}
_READ: dict[str, Callable[[Any], Any]] = {
    "decimal": Decimal,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timedelta": lambda parts: timedelta(*parts),
    "uuid": uuid.UUID,
    "bytes": bytes.fromhex,
    "dict": lambda pairs: {decode(key): decode(value) for key, value in pairs},
}


def encode(value: Any) -> Any:
    """Return a Python value as JSON has it. Raises `UsageError` for one that no database binds."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if type(value).__name__ in ("NAType", "NaTType"):  # pandas has words of its own for it
        return None
    if isinstance(value, list | tuple):
        return [encode(one) for one in value]
    if isinstance(value, Mapping):
        return {"dict": [[encode(key), encode(one)] for key, one in value.items()]}
    for kind, (name, write) in _WRITTEN.items():
        if isinstance(value, kind):
            return {name: write(value)}
    raise UsageError(
        f"A {type(value).__name__} cannot be bound.",
        hint="Numbers, text, dates, lists and None can be bound.",
    )


def decode(value: Any) -> Any:
    """Return the value that `encode` wrote; a tuple is a list now."""
    if isinstance(value, list):
        return [decode(one) for one in value]
    if isinstance(value, dict):
        ((name, written),) = value.items()
        return _READ[name](written)
    return value


_MORE = ("line", "column", "rows", "bytes", "confirmed", "retryable")


def pack_error(exc: AiserError) -> dict[str, Any]:
    """Return an error as JSON has it."""
    more = {name: getattr(exc, name) for name in _MORE if hasattr(exc, name)}
    return {"kind": type(exc).__name__, "message": exc.message, "hint": exc.hint, "more": more}


def error_of(packed: Mapping[str, Any]) -> AiserError:
    """Return the error that `pack_error` wrote: one of our own tree, whatever came."""
    kind = getattr(errors, str(packed["kind"]), None)
    if not (isinstance(kind, type) and issubclass(kind, AiserError)):
        kind = QueryFailed
    error = kind(str(packed["message"]))
    error.hint = str(packed["hint"])
    for name, value in packed["more"].items():
        if name in _MORE and (value is None or isinstance(value, int)):
            setattr(error, name, value)
    return error


def pack_event(event: Event) -> list[Any]:
    """Return what a run reports as JSON has it."""
    if isinstance(event, Notice):
        return ["notice", event.code, event.message]
    if isinstance(event, Progress):
        return ["progress", event.fraction, event.rows, event.message]
    if isinstance(event, Handle):
        return ["handle", event.value, event.connection]
    return ["phase", event.name]


def event_of(packed: list[Any]) -> Event:
    """Return what `pack_event` wrote."""
    kinds: dict[str, Callable[..., Event]] = {
        "notice": Notice,
        "progress": Progress,
        "handle": Handle,
        "phase": Phase,
    }
    name, *values = packed
    return kinds[name](*values)
