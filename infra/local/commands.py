"""The commands that the Makefile calls, each as a sequence of steps."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import build, deploy, logins, partners, processes, simulator, stack_file, supervisor
from .console import Failure, Interrupted, elapsed, say, shown, tail, width
from .files import read_json, write_json
from .settings import PARTNERS, REPOSITORY, REQUIREMENTS, TEMPLATE, Settings

MANIFEST = ["--manifest-path", str(REPOSITORY / "Cargo.toml")]
DEMO = "demo"


@dataclass(frozen=True)
class Sources:
    """Holds fingerprints of the sources of a running stack, and of the partner files applied to it."""

    stack: str
    partners: str


def up(settings: Settings) -> int:
    _bring_up(settings, build.build(build.BINARIES, settings.build_log))
    say(f"  {_stop_hint(settings, 'down')} stops it; {shown(settings.stack_file)} holds what a client needs.")
    return 0


def run(settings: Settings) -> int:
    """Starts the stack, plays the story, waits until interrupted, and then stops everything."""
    started = time.monotonic()
    programs = build.build(build.BINARIES, settings.build_log)
    built = elapsed(started)
    try:
        stack = _bring_up(settings, programs)
        _demonstrate(settings, programs)
        _say_what_to_try(settings, programs, stack)
        say(f"This took {elapsed(started)}, of which {built} for building. Ctrl-C stops everything.")
        try:
            while not (missing := supervisor.missing(settings)):
                time.sleep(1)
        except Interrupted:
            return 0
        part, log = missing
        raise Failure(
            f"The {part} ended unexpectedly. The end of its log:\n{tail(log)}",
            f"The whole log is {log}. Start the stack again with make run.",
        )
    finally:
        say()
        _take_down(settings)


def down(settings: Settings) -> int:
    with _alone(settings):
        say("The stack is down." if _take_down(settings) else "No stack was running.")
    return 0


def test(settings: Settings, arguments: list[str]) -> int:
    """Runs all tests against a separate stack. The last test checks the functions' roles by the calls of all others."""
    programs = build.build(build.EVERYTHING, settings.build_log)
    command = ["cargo", "test", *MANIFEST, "--workspace"]
    bad = "Tests failed; cargo's report is above"
    with _own_stack(settings, "gg3-test", programs) as own:
        say("  Testing …")
        needs = own.directory / "needs"
        shutil.rmtree(needs, ignore_errors=True)
        needs.mkdir()
        seen = {"GG3_NEEDS_DIR": str(needs)}
        if arguments:
            return _judged(own, [*command, *arguments], "All tests passed", bad)
        failed = _judged(own, command, "All tests but the last passed", bad, seen)
        last = ["--test", "permissions", "--", "--ignored"]
        failed = failed or _judged(own, [*command, *last], "All tests passed", bad, seen)
        if not failed and not shutil.which("chromedriver"):
            say("  The pages were not opened in a browser, because chromedriver is missing. On Debian and Ubuntu:")
            say("  apt-get install chromium chromium-driver")
        return failed


def chaos(settings: Settings, arguments: list[str]) -> int:
    """Kills the functions with SIGKILL while they work, on a separate stack."""
    programs = build.build(build.BINARIES, settings.build_log)
    with _own_stack(settings, "gg3-chaos", programs) as own:
        say("  Killing …")
        return _judged(own, [str(programs["chaos"]), *arguments], "The ledger is in order", "The ledger is not in order")


@contextmanager
def _own_stack(settings: Settings, name: str, programs: dict[str, Path]) -> Iterator[Settings]:
    """Starts a separate stack on a free port, and stops it at the end, even after a failure."""
    own = replace(settings, port=processes.free_port(), stack_name=name)
    try:
        _bring_up(own, programs)
        yield own
    finally:
        _take_down(own)


def _judged(own: Settings, command: list[str], good: str, bad: str, environment: dict[str, str] | None = None) -> int:
    started = time.monotonic()
    done = processes.run(command, environment={"GG3_STACK_FILE": str(own.stack_file), **(environment or {})})
    say()
    if done.returncode == 0:
        say(f"✓ {good} ({elapsed(started)}).")
    else:
        say(f"✗ {bad}. The logs are in {shown(own.logs)} ({elapsed(started)}).")
    return done.returncode


def smoke(settings: Settings, options: dict[str, str | None], token: str | None) -> int:
    """Checks any deployment from outside, with the operator's command."""
    if not options["--url"]:
        raise Failure("make smoke needs the URL of the API.", "Name the API: make smoke URL=https://…")
    program = build.build(build.BINARIES, settings.build_log)[partners.COMMAND]
    given = [part for name, value in options.items() if value for part in (name, value)]
    environment = {"GG3_SMOKE_TOKEN": token} if token else {}
    return processes.run([str(program), "smoke", *given], environment=environment).returncode


def _bring_up(settings: Settings, programs: dict[str, Path]) -> dict[str, Any]:
    """Starts or updates the stack so that it matches the sources, and skips steps that are up to date."""
    with _alone(settings):
        sources = _sources(settings, programs)
        made_from, stack = _running(settings)
        if stack and made_from == sources:
            say(f"✓ The stack is already up, and nothing has changed: {stack['api_url']}")
            return stack
        if stack and made_from and made_from.stack == sources.stack:
            say("  The partner files have changed; applying them to the running stack.")
            return _configure(settings, programs, _deployment_of(stack), stack["partner_simulator_url"], sources)
        if supervisor.stop(settings):
            say("  The sources have changed or part of the stack has ended. Starting a new, empty stack.")
        try:
            _forget(settings)
            supervisor.start(settings)
            simulator_url = simulator.start(settings, programs[simulator.PROGRAM])
            deployment = deploy.deploy(settings, programs)
            return _configure(settings, programs, deployment, simulator_url, sources)
        except BaseException:
            _take_down(settings)
            raise


def _configure(
    settings: Settings,
    programs: dict[str, Path],
    deployment: deploy.Deployment,
    simulator_url: str,
    sources: Sources,
) -> dict[str, Any]:
    samples = partners.apply(settings, programs[partners.COMMAND], deployment.api_url, simulator_url)
    stack = stack_file.write(settings, deployment, simulator_url, samples, programs[partners.COMMAND].parent)
    write_json(settings.run_file, {"stack": sources.stack, "partners": sources.partners})
    say(f"✓ The stack is up: {deployment.api_url}")
    return stack


def _take_down(settings: Settings) -> bool:
    stopped = supervisor.stop(settings)
    _forget(settings)
    return stopped


def _forget(settings: Settings) -> None:
    """Removes the files of the last run, except its logs, which stay until the next start."""
    for directory in (settings.scratch, settings.partners):
        shutil.rmtree(directory, ignore_errors=True)
    for path in (settings.run_file, settings.stack_file, settings.secrets_file, settings.environment_file):
        path.unlink(missing_ok=True)


def _running(settings: Settings) -> tuple[Sources | None, dict[str, Any] | None]:
    """Returns the running stack's sources and its stack.json; (None, None) if any part of it does not run."""
    made_from, stack = read_json(settings.run_file), read_json(settings.stack_file)
    if made_from and stack and not supervisor.missing(settings):
        return Sources(**made_from), stack
    return None, None


def _deployment_of(stack: dict[str, Any]) -> deploy.Deployment:
    return deploy.Deployment(**{name: stack[name] for name in ("api_url", "console", "archive", "tables", "queues", "functions")})


def _sources(settings: Settings, programs: dict[str, Path]) -> Sources:
    files = [TEMPLATE, REQUIREMENTS, *sorted(Path(__file__).parent.glob("*.py"))]
    stack = hashlib.sha256(f"{settings.port} {settings.stack_name}".encode())
    for path in files:
        stack.update(path.read_bytes())
    for name in [*deploy.function_names(deploy.read_template()).values(), simulator.PROGRAM]:
        if program := programs.get(name):
            # Size and time are enough, because cargo does not touch unchanged programs. Reading their content is slow.
            status = program.stat()
            stack.update(f"{name} {status.st_size} {status.st_mtime_ns}".encode())
    configured = hashlib.sha256()
    for path in sorted(path for path in PARTNERS.rglob("*") if path.is_file()):
        configured.update(str(path).encode() + path.read_bytes())
    return Sources(stack.hexdigest(), configured.hexdigest())


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Lets only one command at a time change a stack. The lock ends with its process, so it cannot become stale."""
    with settings.lock_file.open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("  Another command is changing this stack; waiting for it to finish.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _demonstrate(settings: Settings, programs: dict[str, Path]) -> None:
    files = ["--stack-file", str(settings.stack_file), "--postbackctl", str(programs[partners.COMMAND])]
    story = [str(programs[DEMO]), *files, "--log", str(settings.story_log), "--width", str(width())]
    if processes.run(story, environment=settings.client_environment()).returncode != 0:
        raise Failure(
            f"{DEMO} failed; what it said is above.",
            f"The whole story is {shown(settings.story_log)}. The logs are in {shown(settings.logs)}.",
        )


def _say_what_to_try(settings: Settings, programs: dict[str, Path], stack: dict[str, Any]) -> None:
    say("\nTry next, in another terminal\n")
    say(f"   source {shown(settings.environment_file)}  # the URLs and settings of this stack")
    say('   curl -i -G "$POSTBACK_URL" -d user_id=12345 -d click_id=c-1 \\')
    say("        -d transaction_id=t-1 -d currency=USD -d amount_decimal=100.00")
    say('   curl -i "$CLICK_URL"  # the tracking link of a user')
    say("   postbackctl trace --provider acme --transaction t-1")
    say("   postbackctl events send shared/domain/examples/events/user.registered.json --now\n")
    console = stack["console"]
    say("   The console, for operators and for the partner acme\n")
    say(f"   {console['url']}  # sign in as {logins.name_of('operator')} with {console['password']}")
    say(f"   {_portal_link(settings, programs, stack)}  # once, within 15 minutes\n")
    say(f"   {shown(settings.story_log)} is the whole story, with each request, answer and stored item.")
    say(f"   {shown(settings.logs)} has the log of each function, {shown(settings.build_log)} that of cargo.")
    say(f"   {shown(settings.stack_file)} has the other partners' URLs, tables and queues.")
    say("   docs/local-stack.md says how to use your own campaigns and events.\n")


def _portal_link(settings: Settings, programs: dict[str, Path], stack: dict[str, Any]) -> str:
    command = [str(programs[partners.COMMAND]), "--stack", settings.stack_name, "portal", "acme", "--json"]
    done = processes.run(
        [*command, "--api-url", stack["api_url"]], capture=True, environment=settings.client_environment()
    )
    if done.returncode != 0:
        return "postbackctl portal acme makes a link for the partner acme"
    return str(json.loads(done.stdout)["link"])


def _stop_hint(settings: Settings, command: str) -> str:
    directory = os.environ.get("STACK_DIR")
    return f"make {command}" + (f" STACK_DIR={directory}" if directory else "")
