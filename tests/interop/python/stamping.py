"""The Python side of tests/interop/canvas/stamps.test.ts: canvases and visitors, built and stamped as there."""
import json

from celery import chain, chord, group
from celery.canvas import StampingVisitor
from pytasks import add, echo, note_error, xsum


class Telling(StampingVisitor):
    """Each stamp tells which method gave it, and what had come before it."""

    def on_signature(self, sig, **headers):
        return {"on_task": sig.task, "seen": sorted(set(headers) - {"stamped_headers", "seen"})}

    def on_group_start(self, sig, **headers):
        return {"in_group": len(sig.tasks)}

    def on_chain_start(self, sig, **headers):
        return {"in_chain": len(sig.tasks)}

    def on_chord_header_start(self, sig, **headers):
        return {"in_header": len(sig.tasks), **super().on_chord_header_start(sig, **headers)}

    def on_chord_body(self, sig, **headers):
        return {"for_body": sig.body.task}

    def on_callback(self, callback, **headers):
        return {"as_callback": callback.task}

    def on_errback(self, errback, **headers):
        return {"as_errback": errback.task}


class Plain(StampingVisitor):
    """Gives a stamp, and an option that is none."""

    def on_signature(self, sig, **headers):
        return {"queue": "stamped", "tenant": "t1", "stamped_headers": ["tenant"]}


def linked(sig):
    sig.link(echo.s())
    sig.link_error(note_error.s("errors"))
    return sig


CANVASES = {
    "a task": lambda: add.s(1, 2),
    "a task with links": lambda: linked(add.s(1, 2)),
    "a task whose link is a chain": lambda: add.s(1, 2).on_error(chain(add.s(1), add.s(2))),
    "a chain": lambda: chain(add.s(1, 2), linked(add.s(3)), add.s(4)),
    "a group": lambda: group(add.s(1, 2), chain(add.s(3, 4), add.s(5))),
    "a chord": lambda: chord([add.s(1, 2), linked(add.s(3, 4))], linked(xsum.s())),
    "a nested one": lambda: chain(add.s(1, 2), chord([group(add.s(3), add.s(4)), add.s(5)], xsum.s()), echo.s()),
    "a map": lambda: add.starmap([(1, 2)]),
}

STAMPINGS = {
    "stamps": lambda sig: sig.stamp(tenant="t1", batch=["b1"], flag=True),
    "stamps, twice": lambda sig: (sig.stamp(tenant="t1"), sig.stamp(tenant="t2", other=1)),
    "stamps that are appended": lambda sig: (
        sig.stamp(tenant="t1"),
        sig.stamp(append_stamps=True, tenant="t2", other=1),
    ),
    "a visitor": lambda sig: sig.stamp(visitor=Telling()),
    "a visitor and stamps": lambda sig: sig.stamp(visitor=Telling(), on_task="outer", tenant="t1"),
    "options of a visitor": lambda sig: sig.stamp(visitor=Plain()),
}


# Not of a canvas: there Celery adds to the same list for each of its tasks.
LISTS = {
    "lists, twice": lambda sig: (sig.stamp(batch=["b1"], a=1, b=[2]), sig.stamp(batch=["b2"], a=[3], b=4)),
    "lists that are appended": lambda sig: (
        sig.stamp(batch=["b1"], a=1, b=[2], c=None),
        sig.stamp(append_stamps=True, batch=["b2"], a=[3], b=4, c=[5]),
    ),
    "objects": lambda sig: (sig.stamp(of={"a": 1, "b": 2}), sig.stamp(of={"b": 3, "c": 4})),
}


def stamped():
    """JSON of each canvas with each stamping."""
    done = {}
    for stamping, stamp in LISTS.items():
        sig = add.s(1, 2)
        stamp(sig)
        done[stamping] = json.loads(json.dumps(sig))
    for canvas, build in CANVASES.items():
        for stamping, stamp in STAMPINGS.items():
            sig = build()
            stamp(sig)
            done[f"{canvas}: {stamping}"] = json.loads(json.dumps(sig))
    return done
