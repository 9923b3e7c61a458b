"""The memory backend over the wire, with one thing wrong with the program: ``broken.py WHAT [OP]``.

What is wrong happens at the first call of OP (default: ``put_step_output``).
"""

import json
import os
import sys
import time

from mobstore.backends import memory
from mobstore.backends.wire.protocol import Greeting
from mobstore.backends.wire.server import Server

WHAT, OP = sys.argv[1], (sys.argv[2:] or ["put_step_output"])[0]
UNASKED = 10**9
asked = set()


def requests():
    for line in sys.stdin.buffer:
        request = json.loads(line)
        if request["op"] == OP:
            asked.add(request["id"])
            if WHAT == "dies":
                print("out of memory", file=sys.stderr)
                os._exit(3)
            if WHAT == "is-killed":
                os.abort()
            if WHAT == "does-not-answer":
                continue
            if WHAT == "stops-reading":
                time.sleep(60)
            if WHAT == "closes-its-output":
                os.close(1)
                time.sleep(60)
            if WHAT == "does-what-it-refuses" and "no_such" in request["args"]:
                args = {name: value for name, value in request["args"].items() if name != "no_such"}
                yield json.dumps({**request, "id": UNASKED, "args": args}).encode() + b"\n"
        yield line
    if WHAT == "speaks-at-the-end":
        write(b'{"id":1,"ok":null}\n')
    if WHAT == "does-not-end":
        time.sleep(60)
    if WHAT == "ends-badly":
        os._exit(4)


def write(line):
    answer = json.loads(line)
    id = b'"id":%d' % answer["id"]
    if answer["id"] == UNASKED:
        return
    if WHAT == "accepts-everything" and answer.get("err", {}).get("kind") == "Serialization":
        line = b'{%s,"ok":null}\n' % id
    if answer["id"] in asked:
        line = {
            "writes-rubbish": b"hello!\n" + line,
            "writes-half-a-line": line[:-5],
            "writes-no-object": b"17\n",
            "writes-a-secret": b'{"secret_key": [7, 7]\n',
            "answers-twice": line + line,
            "answers-an-unknown-id": b'{"id":999999,"ok":null}\n' + line,
            "answers-ok-and-err": line[:-2] + b',"err":{}}\n',
            "answers-another-type": b'{"id":%d,"ok":"yes"}\n' % answer["id"],
            "answers-a-text-for-an-id": line.replace(b'"id":%d' % answer["id"], b'"id":"%d"' % answer["id"]),
            "errs-with-an-unknown-kind": b'{"id":%d,"err":{"kind":"Oops","message":""}}\n' % answer["id"],
            "errs-without-a-message": b'{"id":%d,"err":{"kind":"Internal"}}\n' % answer["id"],
            "errs-without-its-fields": b'{"id":%d,"err":{"kind":"SpecRevisionConflict","message":""}}\n'
            % answer["id"],
            "could-not-read": b'{"id":null,"err":{"kind":"Serialization","message":"Serialization error: x"}}\n',
            "speaks-another-version": line.replace(b'"protocol":1', b'"protocol":2'),
        }.get(WHAT, line)
    os.write(1, line)
    if WHAT == "writes-half-a-line" and answer["id"] in asked:
        os._exit(0)


class Storage:
    greeting = Greeting(1, "broken", clock=True)

    def open(self, clock):
        return memory.open(clock)

    def destroy(self):
        pass


Server(Storage(), write).serve(requests())
