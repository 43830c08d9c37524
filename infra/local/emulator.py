"""The emulator's process: ministack, with corrections of its latency, its functions' logs and its stopping.

`supervisor` starts it as `python -m infra.local.emulator DIRECTORY PORT STACK_NAME`. Everything else comes from the
environment, which the functions inherit.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socketserver
import sys
from pathlib import Path
from typing import BinaryIO

LOOPBACK = "127.0.0.1"
OPEN_FILES = 65_536
KEEP_ALIVE_S = 75


def main() -> None:
    directory, port, stack_name = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    # Without this setting, every call of a function waits 40 ms for a TCP acknowledgement.
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True
    _allow_open_files()
    _copy_function_logs(directory / "logs", f"{stack_name}-")
    asyncio.run(_serve(port))


async def _serve(port: int) -> None:
    """Serves until a signal asks it to stop.

    ministack's `main` may need a second signal and leaves functions running.
    """
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import app

    asked_to_stop = asyncio.Event()

    def stop() -> None:
        if asked_to_stop.is_set():
            _exit()
        asked_to_stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)

    config = Config()
    config.bind = [f"{LOOPBACK}:{port}"]
    config.keep_alive_timeout = KEEP_ALIVE_S
    config.graceful_timeout = 0.5
    # An access log would contain partners' tokens (in paths) and users' ids (in query strings).
    config.accesslog = None
    config.loglevel = "WARNING"
    await serve(app, config, shutdown_trigger=asked_to_stop.wait)
    _exit()


def _exit() -> None:
    """Ends the functions and then this process. It does not wait for threads, because some poll for minutes."""
    from ministack.core import lambda_runtime

    lambda_runtime.reset()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _allow_open_files() -> None:
    """Raises the limit of open files. Hundreds of simultaneous requests and functions need more than 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _copy_function_logs(logs: Path, prefix: str) -> None:
    """Copies each function's output to its own file, line by line.

    ministack keeps the output only in its CloudWatch Logs, but people and tests read files.
    """
    from ministack.core.lambda_runtime import ProvidedWorker

    keep = ProvidedWorker._pump_output

    def keep_and_copy(worker: ProvidedWorker, stream: BinaryIO, queue: object) -> None:
        path = logs / f"{worker.func_name.removeprefix(prefix)}.log"
        with path.open("ab", buffering=0) as file:
            keep(worker, _Copied(stream, file), queue)

    ProvidedWorker._pump_output = keep_and_copy


class _Copied:
    """Reads a function's output and copies it to a file. It writes whole lines, because processes share the file."""

    def __init__(self, stream: BinaryIO, file: BinaryIO) -> None:
        self._stream = stream
        self._file = file

    def readline(self) -> bytes:
        line = self._stream.readline()
        if line:
            self._file.write(line)
        return line

    def close(self) -> None:
        self._stream.close()


if __name__ == "__main__":
    main()
