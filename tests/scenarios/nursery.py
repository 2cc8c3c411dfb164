"""Starts ``calsync`` processes quickly: imports everything once, then forks. What is forked is a
process like any other: it opens its own files, hears signals and can be killed.

Commands are lines of JSON on stdin: ``{"arguments", "out", "log"}`` is answered by a process
number, ``{"wait": pid}`` by its exit status once it has ended (negative: killed by a signal)."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import calsync.api.app
import calsync.api.server
import calsync.bootstrap  # noqa: F401 - for their costs
from calsync.cli.main import run


def main() -> None:
    while line := sys.stdin.readline():
        job = json.loads(line)
        if "wait" in job:
            answer = os.waitstatus_to_exitcode(os.waitpid(job["wait"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                _become(job)
        print(answer, flush=True)


def _become(job: dict[str, Any]) -> None:
    os.setsid()
    new = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for number, path in ((0, os.devnull), (1, job["out"]), (2, job["log"])):
        os.dup2(os.open(path, new if number else os.O_RDONLY), number)
    code = 1
    try:
        run(job["arguments"])
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
