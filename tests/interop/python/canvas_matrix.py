"""The Python side of the canvas matrix: its tasks, and workflows built from the data of tests/interop/canvas/matrix.

A worker has the tasks with the setting `imports`; a client imports this and calls `start` and `outcome`.
"""
import functools
import json

from celery import chain, chord, group
from pytasks import app, notes


@functools.cache
def client():
    return notes()


def trace(request, args, run, label):
    """Tell the test, in the order in which tasks begin, which one began with which relations."""
    relations = {"id": request.id, "root": request.root_id, "parent": request.parent_id, "group": request.group}
    note(run, {"label": label, "args": args, "retries": request.retries, **relations})


def note(run, entry):
    client().rpush(run, json.dumps({**entry, "by": "python"}))


def total(value):
    """The sum of all numbers in it, so that any result can follow any other."""
    if isinstance(value, (list, tuple)):
        return sum(total(each) for each in value)
    return value if isinstance(value, int) else 0


def task(**options):
    return functools.partial(app.task, bind=True, **options)


@task(name="matrix.sum")
def sum_(self, *args, run=None, label=None):
    if run is not None:
        trace(self.request, args, run, label)
    return total(args)


@task(name="matrix.list")
def list_(self, *args, run, label):
    trace(self.request, args, run, label)
    return list(args)


@task(name="matrix.ignored", ignore_result=True)
def ignored(self, *args, run, label):
    trace(self.request, args, run, label)
    return total(args)


@task(name="matrix.fail")
def fail(self, *args, run=None, label=None):
    if run is not None:
        trace(self.request, args, run, label)
    raise ValueError("no", *args)


@task(name="matrix.retry")
def retry(self, *args, run, label, times, limit):
    trace(self.request, args, run, label)
    if self.request.retries < times:
        raise self.retry(exc=ValueError("again"), countdown=0, max_retries=limit)
    return total(args)


@task(name="matrix.replace")
def replace(self, *args, run, label, by):
    trace(self.request, args, run, label)
    raise self.replace(app.signature(by))


@task(name="matrix.extend")
def extend(self, *args, run, label, by):
    trace(self.request, args, run, label)
    self.add_to_chord(app.signature(by))
    return total(args)


@task(name="matrix.told_id")
def told_id(self, failed_id, *, run, label):
    """An errback of the old style, which is sent."""
    trace(self.request, [failed_id], run, label)


@app.task(name="matrix.told_error")
def told_error(request, error, traceback, run, label):
    """An errback of the new style, which is called."""
    args = [request.id, type(error).__name__, *error.args]
    note(run, {"label": label, "args": args, "retries": 0, "id": None, "root": None, "parent": None, "group": None})


def build(node, run):
    signature = BUILDERS[node["kind"]](node, run)
    for callback in node.get("link", []):
        signature.link(build(callback, run))
    for errback in node.get("linkError", []):
        signature.link_error(build(errback, run))
    if "options" in node:
        signature.set(**node["options"])
    return signature


def build_task(node, run):
    kwargs = {**node.get("kwargs", {}), "run": run, "label": node["label"]}
    if "by" in node:
        kwargs["by"] = build(node["by"], run)
    immutable = node.get("immutable", False)
    return named(node).signature(tuple(node["args"]), kwargs, immutable=immutable)


def named(node):
    return app.tasks["matrix." + node["task"]]


def build_all(nodes, run):
    return [build(node, run) for node in nodes]


BUILDERS = {
    "task": build_task,
    "chain": lambda node, run: chain(*build_all(node["of"], run)),
    "pipe": lambda node, run: functools.reduce(lambda a, b: a | b, build_all(node["of"], run)),
    "group": lambda node, run: group(build_all(node["of"], run)),
    "chord": lambda node, run: chord(build_all(node["header"], run), build(node["body"], run)),
    "map": lambda node, run: named(node).map(node["items"]),
    "starmap": lambda node, run: named(node).starmap(node["items"]),
    "chunks": lambda node, run: named(node).chunks(node["items"], node["size"]).group(),
}

results = {}


def start(workflows):
    """Send workflows; returns what stands for their results, by their runs."""
    for workflow in workflows:
        run = workflow["run"]
        results[run] = build(workflow["node"], run).apply_async()
    return {run: result.as_tuple() for run, result in results.items()}


def outcome(run):
    result = results[run]
    if not result.ready():
        return {"pending": True}
    try:
        return {"value": result.get(timeout=10)}
    except Exception as error:
        return {"error": [type(error).__name__, *error.args]}


def outcomes():
    return {run: outcome(run) for run in results}
