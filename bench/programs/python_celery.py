"""The tasks that are measured, and their client: python_celery.py send|round-trip|group|chord COUNT."""

import json
import os
import sys
import time

from celery import Celery, chord, group

WARM_UP = 50
CANVAS_WARM_UP = 100

app = Celery("bench", broker=os.environ["BENCH_BROKER"], backend=os.environ["BENCH_BACKEND"])
app.conf.broker_connection_retry_on_startup = True


@app.task(name="bench.echo")
def echo(number):
    return number


@app.task(name="bench.total")
def total(numbers):
    return sum(numbers)


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


def sum_of_group(count):
    return sum(group(echo.s(number) for number in range(count))().get())


def sum_of_chord(count):
    return chord([echo.s(number) for number in range(count)])(total.s()).get()


def canvas(sum_of):
    def measure(count):
        sum_of(CANVAS_WARM_UP)
        start = time.perf_counter()
        answer = sum_of(count)
        took = (time.perf_counter() - start) * 1000
        if answer != count * (count - 1) // 2:
            raise ValueError(f"got {answer}")
        print(json.dumps({"canvasMs": took}, separators=(",", ":")))

    return measure


if __name__ == "__main__":
    role, count = sys.argv[1], int(sys.argv[2])
    measures = {
        "send": send,
        "round-trip": round_trips,
        "group": canvas(sum_of_group),
        "chord": canvas(sum_of_chord),
    }
    measures[role](count)
    # Until it is killed: what it has used is still to be read.
    sys.stdin.read()
