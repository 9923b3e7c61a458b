"""A program as a backend: it is started, spoken to in JSON lines, and held to the protocol.

What goes wrong with the program itself is no error of the contract, and is never taken for one: a
`ProgramFailure` says whether it died, hung, or broke the protocol.  After the first the program is killed, and
every later call ends with the same failure.  Whether a call that was cut off so happened is not known
(contract, section 10).
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from typing import IO, Any, ClassVar, Final, TypeVar

from mobstore.backends._base import Clock, Subscription
from mobstore.backends.wire import protocol
from mobstore.backends.wire.protocol import Greeting, ProtocolViolation, Response
from mobstore.model import MobEvent, MobStoreError, Operation, ReadFailed, Timestamp, WriteFailed
from mobstore.model import operations as ops

A = TypeVar("A")

MAX_LINE: Final = 2**28
"""Bytes that a line may have; a longer one is no answer to anything that is asked."""
GRACE: Final = 5.0
"""Seconds that a program has to end after the end of its input."""
_START: Final = 20.0
"""Seconds that a program may take to start, beside those of a call."""
_SLICE: Final = 1.0
"""Seconds of one request of a subscription that waits without bound."""


class ProgramFailure(Exception):
    """The program failed, not a call: whether the calls under way happened is not known."""


class ProgramDied(ProgramFailure):
    """The program could not be started, or ended."""


class ProgramHung(ProgramFailure):
    """The program did not answer, did not read, or did not end, in time."""


class ProgramMisspoke(ProgramFailure):
    """The program wrote what the protocol does not allow."""


class _Waiter:
    """Somebody who waits for an answer, or for being the one who reads."""

    __slots__ = ("_woken", "call", "response")

    def __init__(self, call: protocol.Call) -> None:
        self.call = call
        self.response: Response | None = None
        self._woken = threading.Semaphore(0)

    @property
    def answered(self) -> bool:
        """Whether the answer is there."""
        return self.response is not None

    def wake(self) -> None:
        """Let the waiter look again."""
        self._woken.release()

    def wait(self, seconds: float) -> None:
        """Return when woken, or after so many seconds."""
        self._woken.acquire(timeout=max(seconds, 0))


class _Lines:
    """The lines that come out of a file descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._held = bytearray()
        self._searched = 0
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)

    def next(self, deadline: float) -> bytes | None:
        """Return the next line with its end; what is left, without one, at the end of all; None when too late.

        Raises:
            ProtocolViolation: the line is longer than `MAX_LINE`.
        """
        while (end := self._held.find(b"\n", self._searched)) < 0:
            self._searched = len(self._held)
            if self._searched > MAX_LINE:
                raise ProtocolViolation(f"wrote a line of more than {MAX_LINE:,} bytes")
            if not self._poll.poll(max(deadline - time.monotonic(), 0) * 1000):
                return None
            read = os.read(self._descriptor, 2**18)
            if not read:
                return self._take(len(self._held))
            self._held += read
        return self._take(end + 1)

    def _take(self, length: int) -> bytes:
        line = bytes(self._held[:length])
        del self._held[:length]
        self._searched = 0
        return line


class Program:
    """A running program; safe for threads, whose calls overlap.

    One of the threads that wait for answers reads them, and hands over those of the others: with one thread no
    other has to wake up for an answer.

    Args:
        command: what is started, with its arguments.
        timeout: how many seconds a call may take; by default `TIMEOUT`.

    Raises:
        ProgramFailure: it cannot be started, or does not greet as the protocol says.
    """

    TIMEOUT: ClassVar[float] = 10.0

    def __init__(self, command: Sequence[str], timeout: float | None = None) -> None:
        self.command = tuple(command)
        self.told: int | None = None
        """The time that the program was told last."""
        self._timeout = self.TIMEOUT if timeout is None else timeout
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._reading = threading.Lock()
        self._waiting: dict[int, _Waiter] = {}
        self._last = 0
        self._failure: ProgramFailure | None = None
        self._start()
        self.greeting: Greeting = self._greet()

    def _start(self) -> None:
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the program lives
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the command is the user's own
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, bufsize=0
            )
        except OSError as error:
            self._said.close()
            raise ProgramDied(f"cannot be started: {error}") from None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in = self._process.stdin.fileno()
        os.set_blocking(self._in, False)
        self._lines = _Lines(self._process.stdout.fileno())

    def _greet(self) -> Greeting:
        try:
            greeting: Greeting = self.call(protocol.Hello(protocol.VERSION), wait=_START)
        except MobStoreError as error:
            self.kill()
            raise ProgramMisspoke(f"answered control.hello with an error: {error}") from None
        except ProgramFailure:
            self.kill()
            raise
        if greeting.protocol != protocol.VERSION:
            self.kill()
            raise ProgramMisspoke(f"speaks version {greeting.protocol} of the protocol, and not {protocol.VERSION}")
        return greeting

    def call(self, arguments: Any, handle: int = 0, wait: float = 0.0) -> Any:
        """Make a call.

        Args:
            arguments: an operation, or another record of `protocol.CALLS`.
            handle: the handle that it goes through.
            wait: how many seconds more it may take.

        Raises:
            MobStoreError: the call ended with it.
            ProgramFailure: nobody knows what the call ended with.
        """
        call = protocol.call_of(arguments)
        response = self.exchange(lambda number: protocol.request_line(number, arguments, handle), call, wait)
        try:
            return protocol.read_answer(call, response)
        except ProtocolViolation as violation:
            raise ProgramMisspoke(str(violation)) from None

    def exchange(self, line: Callable[[int], bytes], call: protocol.Call, wait: float = 0.0) -> Response:
        """Send a line and return what it is answered with, unread.

        Args:
            line: makes the line of an id.
            call: what it is for, as failures name it.
            wait: how many seconds more it may take.

        Raises:
            ProgramFailure: nobody knows what the call ended with.
        """
        waiter = _Waiter(call)
        with self._lock:
            if self._failure is not None:
                raise self._again()
            self._last = id = self._last + 1
            self._waiting[id] = waiter
        self._write(line(id), waiter)
        self._await(waiter, self._timeout + wait)
        if waiter.response is None:
            raise self._again()
        return waiter.response

    def _write(self, line: bytes, waiter: _Waiter) -> None:
        """Send a line; a program that does not read must not stop us for ever."""
        deadline = time.monotonic() + self._timeout
        with self._writing:
            left = memoryview(line)
            while left and not self.failed:
                try:
                    left = left[os.write(self._in, left) :]
                except BlockingIOError:
                    poll = select.poll()
                    poll.register(self._in, select.POLLOUT)
                    if not poll.poll(max(deadline - time.monotonic(), 0) * 1000):
                        self._fail(ProgramHung(f"did not read {waiter.call} within {self._timeout:g} s"))
                except OSError:
                    # It has closed its input; whether it has ended, and how, is for who reads to find out.
                    return

    def _await(self, waiter: _Waiter, seconds: float) -> None:
        """Return when the answer is there, or the program has failed."""
        deadline = time.monotonic() + seconds
        while not (waiter.answered or self.failed):
            if self._reading.acquire(blocking=False):
                try:
                    self._read_for(waiter, deadline)
                finally:
                    self._reading.release()
                    self._appoint()
            else:
                waiter.wait(deadline - time.monotonic())
            self._give_up(waiter, deadline, seconds)

    def _give_up(self, waiter: _Waiter, deadline: float, seconds: float) -> None:
        if not waiter.answered and time.monotonic() >= deadline:
            self._fail(ProgramHung(f"did not answer {waiter.call} within {seconds:g} s"))

    def _read_for(self, waiter: _Waiter, deadline: float) -> None:
        """Read until the answer to one's own call has come."""
        while not (waiter.answered or self.failed):
            try:
                line = self._lines.next(deadline)
                if line is None:
                    return
                if not line.endswith(b"\n"):
                    self._fail(self._ended(line))
                    return
                self._hand_over(protocol.read_response(line))
            except ProtocolViolation as violation:
                self._fail(ProgramMisspoke(str(violation)))

    def _hand_over(self, response: Response) -> None:
        waiter = self._waiting.pop(response.id, None)
        if waiter is None:
            known = response.id <= self._last
            what = "was answered already" if known else "was never asked"
            raise ProtocolViolation(f"answered the id {response.id}, which {what}")
        waiter.response = response
        waiter.wake()

    def _appoint(self) -> None:
        """Let somebody else who waits be the one who reads."""
        with self._lock:
            other = next(iter(self._waiting.values()), None)
        if other is not None:
            other.wake()

    def _ended(self, rest: bytes) -> ProgramFailure:
        try:
            code = self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            return ProgramHung("closed its output, and did not end")
        how = f"was killed by {_signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        waiting = ", ".join(dict.fromkeys(str(waiter.call) for waiter in list(self._waiting.values())))
        while_ = f" while {waiting} waited for an answer" if waiting else ""
        within = ", in the middle of a line" if rest else ""
        return ProgramDied(f"{how}{while_}{within}{_last_words(self._said)}")

    def _fail(self, failure: ProgramFailure) -> None:
        """Note the first failure, kill the program, and wake whoever waits."""
        with self._lock:
            self._failure = self._failure or failure
            waiting, self._waiting = self._waiting, {}
        self._process.kill()
        for waiter in waiting.values():
            waiter.wake()

    def _again(self) -> ProgramFailure:
        """Return the failure to be raised once more, by another thread perhaps."""
        assert self._failure is not None
        return type(self._failure)(*self._failure.args)

    @property
    def failed(self) -> bool:
        """Whether the program has failed, so that no call can be made any more."""
        return self._failure is not None

    def crash(self) -> None:
        """Let the program die where it stands and recover; it is started again if it ends.

        Raises:
            ProgramFailure: it does neither, or does not come back.
        """
        try:
            self.call(protocol.Crash())
        except ProgramDied:
            self.revive()

    def die(self) -> None:
        """Kill the process whatever it does; a call under way ends with `ProgramDied`.

        No call may begin before `revive`.
        """
        self._process.kill()

    def revive(self) -> None:
        """Start a program that has died again, with the same command, upon which it finds its storage.

        Raises:
            ProgramFailure: it cannot be started, or does not greet as the protocol says.
        """
        self.kill()
        self._failure, self.told = None, None
        self._start()
        self.greeting = self._greet()

    def close(self) -> None:
        """Close the program's input, upon which it ends.

        Raises:
            ProgramFailure: it said something more, did not end in time, or ended badly.
        """
        if self._failure is None:
            self._close_input()
            self._failure = self._last_failure(time.monotonic() + GRACE)
            self.kill()
            if self._failure is not None:
                raise self._again()
        self.kill()

    def _last_failure(self, deadline: float) -> ProgramFailure | None:
        """Return what is wrong with how a program ends whose input has ended."""
        with self._reading:
            try:
                line = self._lines.next(deadline)
            except ProtocolViolation as violation:
                return ProgramMisspoke(str(violation))
        if line:
            return ProgramMisspoke(f"wrote after the end of its input: {protocol.shown(line)}")
        try:
            if line is not None and self._process.wait(max(deadline - time.monotonic(), 0)) == 0:
                return None
        except subprocess.TimeoutExpired:
            line = None
        return (
            ProgramHung(f"did not end within {GRACE:g} s of the end of its input")
            if line is None
            else self._ended(line)
        )

    def kill(self) -> None:
        """End the program at once, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._close_input()
        assert self._process.stdout is not None
        with self._reading:
            self._process.stdout.close()
        self._said.close()

    def _close_input(self) -> None:
        assert self._process.stdin is not None
        with self._writing:
            self._process.stdin.close()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_words(said: IO[bytes]) -> str:
    """What a program wrote last on standard error."""
    said.seek(0, os.SEEK_END)
    said.seek(max(said.tell() - 1500, 0))
    lines = [line.strip() for line in said.read().decode(errors="replace").splitlines() if line.strip()][-12:]
    return f"; it last wrote on standard error: {' / '.join(lines)}" if lines else ""


class ProgramEngine:
    """Executes operations on a program, through one handle; see `mobstore.backends._base.Engine`.

    Args:
        clock: tells the store's time, and is told to the program before each call that it was set for; None
            leaves the time to the program.
        owned: whether closing the engine ends the program.
    """

    blocks: ClassVar[bool] = True

    def __init__(
        self, program: Program, clock: Clock | None = None, handle: int = 0, *, owned: bool = False
    ) -> None:
        self.program = program
        self._owned = owned
        self._clock = clock if program.greeting.clock else None
        self._handle = handle
        self._closed = False

    def execute(self, operation: Operation[A]) -> A:
        """Do the call; see `Engine.execute`."""
        if self._closed:
            raise (ReadFailed if operation.reads else WriteFailed)("the store is closed")
        if self._clock is not None and not operation.reads:
            self._tell_time(self._clock())
        answer: A = self.program.call(operation, self._handle)
        return answer

    def _tell_time(self, now: int) -> None:
        if self.program.told != now:
            self.program.call(protocol.Clock(Timestamp.from_nanos(now)))
            self.program.told = now

    def subscribe(self) -> Subscription:
        """Begin to deliver the events appended from now on."""
        if self._closed:
            raise ReadFailed("the store is closed")
        number: int = self.program.call(ops.Subscribe(), self._handle)
        return Subscription(_Feed(self.program, self._handle, number), 0)

    def reopen(self) -> None:
        """Drop the handle and open the same storage again."""
        self.program.call(protocol.Reopen(), self._handle)
        self._closed = False

    def close(self) -> None:
        """Refuse every later call; a program that is not owned goes on, for the sake of its other handles."""
        self._closed = True
        if self._owned:
            self.program.close()


class _Feed:
    """What a program delivers to one subscription; see `mobstore.backends._base.Feed`."""

    def __init__(self, program: Program, handle: int, number: int) -> None:
        self._program = program
        self._handle = handle
        self._number = number
        self._ahead = protocol.Drained((), 0)
        """What came while somebody waited, and was not read yet."""

    def read(self, place: int) -> tuple[tuple[MobEvent, ...], int, int]:
        """Return what has come; see `Feed.read`."""
        ahead, self._ahead = self._ahead, protocol.Drained((), 0)
        got = self._drain(0.0) if not ahead.events else ahead
        return got.events, got.lagged, place + got.lagged + len(got.events)

    def wait(self, place: int, timeout: float | None, over: Callable[[], bool]) -> None:  # noqa: ARG002
        """Wait in the program for the next event; see `Feed.wait`."""
        if not over():
            self._ahead = self._drain(_SLICE if timeout is None else min(timeout, _SLICE))

    def _drain(self, seconds: float) -> protocol.Drained:
        drain = protocol.Drain(self._number, int(seconds * 1000))
        got: protocol.Drained = self._program.call(drain, self._handle, wait=seconds)
        return got

    def wake(self) -> None:
        """Do nothing: who waits looks again after a second at most."""
