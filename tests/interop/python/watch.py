"""A monitor as Python has them: a receiver of events that feeds a State, in a thread of the client.

    __import__('watch').start()      returns when it hears
    __import__('watch').events()     all events so far
    __import__('watch').seen()       what the State makes of them
"""
import threading

import pytasks

app = pytasks.app
state = app.events.State()
received = []
listening = threading.Event()

WORKER_FIELDS = ("pid", "freq", "active", "processed", "loadavg", "sw_ident", "sw_ver", "sw_sys", "alive")
TASK_FIELDS = (
    "uuid", "name", "state", "args", "kwargs", "retries", "result", "exception", "eta", "expires",
    "root_id", "parent_id", "exchange", "routing_key", "runtime", "sent", "received", "started", "succeeded",
    "failed", "retried", "revoked", "rejected",
)  # fmt: skip


def take(event):
    received.append(dict(event))
    state.event(event)


def capture():
    with app.connection() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": take})
        for _ in receiver.itercapture(limit=None, timeout=None, wakeup=True):
            pass


def start():
    threading.Thread(target=capture, daemon=True).start()


def events():
    return received


def seen():
    def told(fields, of):
        return {name: getattr(of, name) for name in fields}

    return {
        "workers": {name: told(WORKER_FIELDS, worker) for name, worker in state.workers.items()},
        "tasks": {
            uuid: {**told(TASK_FIELDS, task), "worker": task.worker and task.worker.hostname}
            for uuid, task in state.tasks.items()
        },
    }
