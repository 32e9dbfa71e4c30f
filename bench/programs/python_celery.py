"""The task that is measured, and its client: python_celery.py send|round-trip COUNT."""

import json
import os
import sys
import time

from celery import Celery

WARM_UP = 50

app = Celery("bench", broker=os.environ["BENCH_BROKER"], backend=os.environ["BENCH_BACKEND"])
app.conf.broker_connection_retry_on_startup = True


@app.task(name="bench.echo")
def echo(number):
    return number


def send(count):
    for number in range(count):
        echo.delay(number)


def round_trips(count):
    took = []
    for number in range(WARM_UP + count):
        start = time.perf_counter()
        answer = echo.delay(number).get()
        if answer != number:
            raise ValueError(f"expected {number} back, got {answer}")
        if number >= WARM_UP:
            took.append((time.perf_counter() - start) * 1000)
    print(json.dumps({"roundTripsMs": took}))


if __name__ == "__main__":
    role, count = sys.argv[1], int(sys.argv[2])
    {"send": send, "round-trip": round_trips}[role](count)
    # Until it is killed: what it has used is still to be read.
    sys.stdin.read()
