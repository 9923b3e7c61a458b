"""The memory backend over the wire, which refuses to start loops and says so."""

import sys

from mobstore.backends import memory
from mobstore.backends._stores import Stores
from mobstore.backends.capabilities import Capabilities
from mobstore.backends.wire.protocol import Greeting
from mobstore.backends.wire.server import Server
from mobstore.model import FrameAtomicPersistenceUnavailable
from mobstore.model import operations as ops
from mobstore.model.step import HANDLERS


def refuse(state, op, now):
    raise FrameAtomicPersistenceUnavailable("cas_start_loop")


class Storage:
    greeting = Greeting(1, "declaring", Capabilities(refused=["cas_start_loop"]), clock=True)

    def open(self, clock):
        handlers = {**HANDLERS, ops.CasStartLoop: refuse, ops.CasStartLoopWithAuthority: refuse}
        return Stores(memory.MemoryEngine(clock, handlers))

    def destroy(self):
        pass


def write(line):
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


Server(Storage(), write).serve(sys.stdin.buffer)
