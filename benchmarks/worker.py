"""One measurement in a process of its own: a request on stdin, its result as JSON on stdout."""

from __future__ import annotations

import importlib
import json
import os
import sys


def main() -> None:
    request = json.loads(sys.stdin.readline())
    for name in request["without"]:
        sys.modules[name] = None  # type: ignore[assignment]  # to import it fails
    module, _, function = request["name"].rpartition(".")
    try:
        measure = getattr(importlib.import_module(f"benchmarks.{module}"), function)
        answer = measure(**request["parameters"], scale=request["scale"])
    except ModuleNotFoundError as error:
        answer = {"missing": str(error.name)}
    print(json.dumps(answer), flush=True)
    os._exit(0)  # what other packages have registered to run at exit is not measured


if __name__ == "__main__":
    main()
