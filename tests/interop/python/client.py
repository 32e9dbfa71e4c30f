"""A Python producer that answers requests, one JSON object a line, so that a test starts Python once.

    {"id": 1, "do": "send", "name": …, "args": …, "kwargs": …, "options": {…}}   -> the task's id
    {"id": 2, "do": "get", "task_id": …, "timeout": seconds}                      -> the result, or its exception
    {"id": 3, "do": "evaluate", "code": …}    -> the value of an expression, or of `result` after statements

Answers are {"id": 1, "value": …} or {"id": 1, "error": {"type": …, "message": …, "args": …}}.
"""
import json
import os
import sys
import threading
from datetime import datetime

import celery
import pytasks
from celery.result import AsyncResult, GroupResult

app = pytasks.app
# What is made without naming an app, such as `signature(...)`, belongs to this one in every thread.
app.set_default()

# Whatever a library prints must not stand between the answers.
answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)
answers_lock = threading.Lock()

namespace = {
    **{name: getattr(celery, name) for name in ("chain", "group", "chord", "signature", "chunks", "xmap")},
    **{name.rsplit(".", 1)[-1]: task for name, task in app.tasks.items() if name.startswith("pytasks.")},
    "app": app,
    "celery": celery,
    "pytasks": pytasks,
    "AsyncResult": AsyncResult,
    "GroupResult": GroupResult,
}


def send(name, args=None, kwargs=None, options=None):
    options = dict(options or {})
    for instant in ("eta", "expires"):
        if isinstance(options.get(instant), str):
            options[instant] = datetime.fromisoformat(options[instant].replace("Z", "+00:00"))
    return app.send_task(name, args=args, kwargs=kwargs, **options).id


def get(task_id, timeout=30):
    return app.AsyncResult(task_id).get(timeout=timeout)


def evaluate(code):
    scope = dict(namespace)
    try:
        expression = compile(code, "<test>", "eval")
    except SyntaxError:
        exec(compile(code, "<test>", "exec"), scope)
        return scope.get("result")
    return eval(expression, scope)


ACTIONS = {"send": send, "get": get, "evaluate": evaluate}


def answer(request):
    request_id = request.pop("id")
    action = ACTIONS[request.pop("do")]
    try:
        reply = {"id": request_id, "value": action(**request)}
    except Exception as error:
        told = {"type": type(error).__name__, "message": str(error), "args": list(error.args)}
        reply = {"id": request_id, "error": told}
    with answers_lock:
        answers.write(json.dumps(reply, default=repr) + "\n")


for line in sys.stdin:
    threading.Thread(target=answer, args=(json.loads(line),), daemon=True).start()
