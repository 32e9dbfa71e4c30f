"""The Celery application of the interop tests: what a Python worker runs and a Python producer sends.

The environment configures it, so that one module serves every test:

    PYTASKS_BROKER   broker URL
    PYTASKS_BACKEND  result backend URL
    PYTASKS_CONF     JSON object of further Celery settings
    PYTASKS_TRACES   file for the spans of OpenTelemetry's instrumentor; without it, it is not there
"""
import builtins
import json
import os
import time

import redis
from celery import Celery
from celery.exceptions import Ignore, Reject

BROKER = os.environ["PYTASKS_BROKER"]

app = Celery("pytasks", broker=BROKER, backend=os.environ["PYTASKS_BACKEND"])
app.conf.update(
    accept_content=["json", "msgpack", "yaml"],
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)
app.conf.update(json.loads(os.environ.get("PYTASKS_CONF", "{}")))

if app.conf.security_key:
    app.setup_security()

if "PYTASKS_TRACES" in os.environ:
    import traces  # noqa: F401


class OrderError(Exception):
    """An exception with more than one argument, as applications have them."""

    def __init__(self, order_id, reason):
        super().__init__(order_id, reason)
        self.order_id = order_id
        self.reason = reason


def notes():
    """A client for the lists by which tests watch and steer tasks: plain keys beside Celery's own."""
    return redis.Redis.from_url(BROKER, decode_responses=True)


@app.task(name="pytasks.add")
def add(x, y):
    return x + y


@app.task(name="pytasks.mul")
def mul(x, y):
    return x * y


@app.task(name="pytasks.xsum")
def xsum(numbers):
    return sum(numbers)


@app.task(name="pytasks.echo")
def echo(*args, **kwargs):
    return {"args": list(args), "kwargs": kwargs}


@app.task(name="pytasks.types")
def types(*args, **kwargs):
    """The Python types and reprs of what arrived, position by position and name by name."""

    def told(value):
        return {"type": type(value).__name__, "repr": repr(value)}

    return {
        "args": [told(value) for value in args],
        "kwargs": {name: told(value) for name, value in kwargs.items()},
    }


@app.task(name="pytasks.request", bind=True)
def request(self):
    """What the worker made of the message's headers and properties."""
    names = (
        "id", "task", "root_id", "parent_id", "group", "group_index", "correlation_id", "reply_to",
        "retries", "eta", "expires", "timelimit", "origin", "argsrepr", "kwargsrepr", "ignore_result",
        "delivery_info", "stamps", "stamped_headers",
    )  # fmt: skip
    return {name: getattr(self.request, name, None) for name in names}


@app.task(name="pytasks.fail")
def fail(message="failed on purpose"):
    raise ValueError(message)


@app.task(name="pytasks.fail_order")
def fail_order(order_id, reason):
    raise OrderError(order_id, reason)


@app.task(name="pytasks.raise_named")
def raise_named(name, args):
    """Raises a built-in exception."""
    raise getattr(builtins, name)(*args)


@app.task(name="pytasks.retry_once", bind=True, max_retries=1)
def retry_once(self, value):
    """Fails the first time and returns `value` the second."""
    if self.request.retries == 0:
        raise self.retry(exc=ValueError("not yet"), countdown=0)
    return value


@app.task(name="pytasks.retry_always", bind=True, max_retries=2)
def retry_always(self):
    raise self.retry(exc=ValueError("never"), countdown=0)


@app.task(name="pytasks.retry_at", bind=True)
def retry_at(self, queue, value):
    """Is retried by whoever consumes `queue`."""
    raise self.retry(exc=ValueError("not here"), countdown=0, queue=queue)


@app.task(name="pytasks.ignored", ignore_result=True)
def ignored(key):
    """Leaves no result, only a note that it ran."""
    notes().rpush(key, "ran")
    return "nobody sees this"


@app.task(name="pytasks.raise_ignore")
def raise_ignore():
    raise Ignore()


@app.task(name="pytasks.raise_reject", acks_late=True)
def raise_reject(requeue=False):
    raise Reject("rejected on purpose", requeue=requeue)


@app.task(name="pytasks.record", bind=True)
def record(self, key, value=None):
    """Appends its id (or `value`) to the list `key`, so that a test can count the runs."""
    notes().rpush(key, self.request.id if value is None else value)
    return value


@app.task(name="pytasks.sleep")
def sleep(seconds):
    time.sleep(seconds)
    return seconds


@app.task(name="pytasks.progress", bind=True)
def progress(self, steps, key):
    """Reports its progress, waiting before each step for an element in the list `key`."""
    for step in range(1, steps + 1):
        notes().blpop(key, timeout=60)
        self.update_state(state="PROGRESS", meta={"current": step, "total": steps})
    notes().blpop(key, timeout=60)
    return steps


def wait_for_release(task_id, key):
    client = notes()
    client.rpush(key + ":started", task_id)
    if client.blpop(key + ":release", timeout=60) is None:
        raise TimeoutError("nobody released " + key)


@app.task(name="pytasks.hold", bind=True)
def hold(self, key, value=None):
    """Says that it started (list `key:started`), then waits until the list `key:release` has an element."""
    wait_for_release(self.request.id, key)
    return value


@app.task(name="pytasks.hold_late", bind=True, acks_late=True)
def hold_late(self, key, value=None):
    """As `hold`, but acknowledged only when it ends."""
    wait_for_release(self.request.id, key)
    return value


@app.task(name="pytasks.now")
def now():
    """When it ran, in Unix seconds."""
    return time.time()


@app.task(name="pytasks.count", bind=True, acks_late=True)
def count(self, key):
    """Counts the runs of each task id in the hash `key`, and tells which side ran it."""
    notes().hincrby(key, self.request.id, 1)
    return "python"


@app.task(name="pytasks.note_error", bind=True)
def note_error(self, failed_id, key):
    """An errback as a peer sends it: the id of the failed task comes first."""
    notes().rpush(key, failed_id)


def sweep():
    """Restore what is unacknowledged for longer than the visibility timeout, as a worker does now and then."""
    with app.connection_for_write() as connection:
        connection.default_channel.qos.restore_visible(interval=1)
