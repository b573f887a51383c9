"""Where processes of tests are forked: `python -m suuupra.testing.nursery FD`, started by suuupra.testing.forking.

It imports what a process will need and forks, which takes a fortieth of the time of a start from nothing; what comes
after the imports is the same program with the same arguments, environment, signals and death. Between the nursery and
each process stands one that waits for it and tells how it ended, so that the nursery has one thing to do.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
from collections.abc import Sequence
from itertools import product
from typing import Any, Final

from suuupra import cli, discovery, failpoints, work

ROOMS: Final = ("contract", "settings", "app", "consumers", "schedules", "workers", "cli")
LONGEST: Final = 1 << 20
"""Bytes of a request: an environment and a command line."""
_LOADED: Final = (cli, work)


def main() -> None:
    """Fork whatever is asked for, until nobody can ask any more."""
    asked = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the session, which ends and hangs up
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        message, fds, _, _ = socket.recv_fds(asked, LONGEST, 3)
        if not message:
            return
        request = json.loads(message)
        _import(request["argv"])
        gc.collect()
        gc.freeze()
        if os.fork() == 0:
            asked.close()
            _attend(request, fds)
            return
        for fd in fds:
            os.close(fd)


def _import(argv: Sequence[str]) -> None:
    """What the program will import: of `suuupra` the rooms of the service that is named, else the module itself."""
    module, *words = argv
    if module != "suuupra":
        importlib.import_module(module)
        return
    named = [service for service in discovery.found() if service.name in words]
    for service, room in product(named, ROOMS):
        if service.has(room):
            importlib.import_module(f"{service.package}.{room}")


def _attend(request: dict[str, Any], fds: Sequence[int]) -> None:
    """Fork the process itself, in which this returns when its program has ended; tell its id and how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    out, err, told = fds
    if (child := os.fork()) == 0:
        os.close(told)
        _become(request, out, err)
        return
    os.write(told, f"{child}\n".encode())
    os.close(out)
    os.close(err)
    _, status = os.waitpid(child, 0)
    os.write(told, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _become(request: dict[str, Any], out: int, err: int) -> None:
    """Run the program in this process, as `python -m` would."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for fd, place in ((out, 1), (err, 2)):
        os.dup2(fd, place)
        os.close(fd)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    importlib.reload(failpoints)  # it reads the environment when it is imported
    module, *words = request["argv"]
    sys.argv = [module, *words]
    sys.modules.pop(module, None) if module != "suuupra" else None
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
