"""Performs calls of a platform's client, as a program would.

usage: client.py NAME

NAME is a module in clients/. A line of JSON on standard input is a call: {"call", "args", "kwargs", "url", "token"}, and
what else its module wants. A line on standard output is how it went: {"ok": true, "value", "log"}, or
{"ok": false, "class", "text", "log"}. It ends with its input.
"""

import importlib
import io
import itertools
import json
import logging
import os
import sys
import uuid
import warnings
from pathlib import Path

from urllib3 import filepost

warnings.simplefilter("ignore")
answers = os.fdopen(os.dup(1), "w")
# What a client prints is no answer.
os.dup2(2, 1)

# What clients make up, they make up again in the next call.
numbers = itertools.count(1)
uuid.uuid4 = uuid.uuid1 = lambda *_: uuid.UUID(int=next(numbers))
filepost.choose_boundary = lambda: "boundary"


def attribute(root, name):
    for part in name.split("."):
        root = getattr(root, part)
    return root


def plain(value):
    """A client's value as JSON."""
    for name in ("as_dict", "to_dict", "model_dump", "as_python_dict"):
        if hasattr(value, name) and not isinstance(value, type):
            return plain(getattr(value, name)())
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if hasattr(value, "read"):
        return plain(value.read())
    if hasattr(value, "__iter__"):
        return [plain(item) for item in value]
    members = getattr(value, "__dict__", None)
    return plain({name: item for name, item in members.items() if name[0] != "_"}) if members else type(value).__name__


def perform(module, call, url, token, args=(), kwargs=None, **more):
    global numbers
    numbers = itertools.count(1)
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    logging.getLogger().addHandler(handler)
    try:
        client = module.connect(url, token, **more)
        function = getattr(module, call, None)
        value = function(client, *args, **kwargs or {}) if function else attribute(client, call)(*args, **kwargs or {})
        return {"ok": True, "value": plain(value), "log": log.getvalue()}
    except Exception as error:
        of = type(error)
        return {"ok": False, "class": f"{of.__module__}.{of.__qualname__}", "text": str(error), "log": log.getvalue()}
    finally:
        logging.getLogger().removeHandler(handler)


def main(name):
    sys.path.insert(0, str(Path(__file__).parent / "clients"))
    module = importlib.import_module(f"{name}_calls")
    print("{}", file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(perform(module, **json.loads(line))), file=answers, flush=True)


main(*sys.argv[1:])
