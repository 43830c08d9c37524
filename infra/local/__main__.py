"""The command line. It makes the virtual environment if necessary, restarts inside it, and runs the command."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from typing import NoReturn

from . import virtualenv
from .console import Failure, Interrupted, fail
from .settings import LOOPBACK, REPOSITORY, REQUIREMENTS, VIRTUALENV, Settings, claim, from_environment

INTERRUPTED = 130


def main() -> int:
    arguments = _parser().parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    for output in (sys.stdout, sys.stderr):
        # Printing a tick must not fail on a terminal that cannot show it.
        output.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        if arguments.command == "virtualenv":
            return _make_virtualenv(arguments.directory, arguments.requirements)
        settings = from_environment()
        _enter_virtualenv()
        _keep_to_this_machine(settings)
        return _dispatch(settings, arguments)
    except Failure as failure:
        fail(failure)
        return 1
    except Interrupted as interrupted:
        print(f"\nInterrupted ({interrupted}).", file=sys.stderr)
        return INTERRUPTED


def _dispatch(settings: Settings, arguments: argparse.Namespace) -> int:
    from . import commands

    claim(settings)
    if arguments.command == "up":
        return commands.up(settings)
    if arguments.command == "run":
        return commands.run(settings)
    if arguments.command == "down":
        return commands.down(settings)
    if arguments.command == "test":
        return commands.test(settings, arguments.cargo_arguments)
    if arguments.command == "chaos":
        return commands.chaos(settings, arguments.chaos_arguments)
    options = {"--url": arguments.url, "--provider": arguments.provider, "--click-url": arguments.click_url}
    # The token comes from the environment, because every user of a machine can read command lines.
    return commands.smoke(settings, options, os.environ.get("TOKEN"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m infra.local",
        description="The local stack: template.yaml, deployed to an AWS emulator on this machine.",
        epilog="The environment variables PORT, STACK_DIR and STACK_NAME choose the stack.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start the stack and return when it is ready")
    commands.add_parser("run", help="start the stack, show what it does, and stay until Ctrl-C")
    commands.add_parser("down", help="stop the stack and everything that it started")
    test = commands.add_parser("test", help="run all tests against a separate stack")
    test.add_argument("cargo_arguments", nargs="*", help="arguments of cargo test, such as a test's name")
    chaos = commands.add_parser("chaos", help="kill the functions with SIGKILL while they work, on a separate stack")
    chaos.add_argument("chaos_arguments", nargs="*", help="arguments of the chaos program, such as --seed")
    smoke = commands.add_parser("smoke", help="check a deployment from outside")
    for option in ("--url", "--provider", "--click-url"):
        smoke.add_argument(option)
    make = commands.add_parser("virtualenv", help="make a virtual environment if it is missing or out of date")
    make.add_argument("directory", help="its directory, below .venv")
    make.add_argument("requirements", help="its requirements file, below infra")
    return parser


def _make_virtualenv(directory: str, requirements: str) -> int:
    target, source = REPOSITORY / ".venv" / directory, REPOSITORY / "infra" / requirements
    if not virtualenv.is_made(target, source):
        virtualenv.make(target, source)
    return 0


def _enter_virtualenv() -> None:
    """Restarts with the virtual environment's Python. Modules that need its packages are imported only after that."""
    python = virtualenv.python_of(VIRTUALENV)
    if sys.prefix == str(VIRTUALENV):
        return
    if not virtualenv.is_made(VIRTUALENV, REQUIREMENTS):
        virtualenv.make(VIRTUALENV, REQUIREMENTS)
    os.execv(python, [str(python), "-m", __package__, *sys.argv[1:]])


def _keep_to_this_machine(settings: Settings) -> None:
    """Replaces AWS settings in the environment and bypasses proxies, so that nothing reaches a real AWS account."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(settings.client_environment())
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), LOOPBACK, "localhost")))


def _interrupt(number: int, _frame: object) -> NoReturn:
    """Raises Interrupted once. Later signals are ignored, because they would leave processes running."""
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)
    raise Interrupted(signal.Signals(number).name)


if __name__ == "__main__":
    sys.exit(main())
