"""The sample partners and their links, made with the operator's command as an operator would make them on AWS."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import partner_copies, processes, simulator
from .console import Failure, step, tail
from .files import read_json, write_json
from .settings import PARTNERS, Settings

COMMAND = "postbackctl"
SAMPLE_USER = "12345"
LINKS_EXPIRE_IN = "30d"


@dataclass(frozen=True)
class SamplePartner:
    """Holds what a client of the stack needs of a partner: its postback URL, its secrets and its tracking links."""

    postback_url: str
    token: str | None
    signature_secret: str | None
    webhook_secret: str | None
    landings: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        """Returns the fields that are set. `token` is always returned, and is null for a partner that signs."""
        return {name: value for name, value in asdict(self).items() if value is not None or name == "token"}


def apply(settings: Settings, program: Path, api_url: str, simulator_url: str) -> dict[str, SamplePartner]:
    """Applies infra/partners with webhooks that lead to the partner simulator, and makes a link for each landing.

    Returns the partners by name.
    """
    with step(f"Applying {PARTNERS.name} with {COMMAND}; their webhooks lead to {simulator_url}"):
        # The originals are checked as strictly as for AWS. The copies would hide faults in a webhook's host.
        _call(settings, program, "apply", str(PARTNERS), "--check")
        partner_copies.make(PARTNERS, settings.partners, simulator_url)
        answer = _call(settings, program, "apply", str(settings.partners), "--loopback-webhooks", "--yes", "--json")
        applied = _parsed(answer)
        secrets = _remembered(settings, applied)
        for provider, known in secrets.items():
            if "webhook_secret" in known:
                simulator.set_secret(simulator_url, provider, known["webhook_secret"])
        return {entry["provider"]: _sample(settings, program, api_url, entry, secrets) for entry in applied}


def _sample(
    settings: Settings, program: Path, api_url: str, entry: dict[str, Any], secrets: dict[str, dict[str, str]]
) -> SamplePartner:
    provider = entry["provider"]
    secret = secrets.get(provider, {})
    signs = entry["credential"] == "signature"
    base = f"{api_url}/postback/{provider}"
    return SamplePartner(
        postback_url=base if signs else f"{base}/{secret['token']}",
        token=None if signs else secret["token"],
        signature_secret=secret["signature_secret"] if signs else None,
        webhook_secret=secret.get("webhook_secret"),
        landings={name: _link(settings, program, api_url, provider, name) for name in entry["landings"]},
    )


def _link(settings: Settings, program: Path, api_url: str, provider: str, landing: str) -> str:
    options = ["--user", SAMPLE_USER, "--api-url", api_url, "--expires-in", LINKS_EXPIRE_IN]
    return _call(settings, program, "link", "click", provider, landing, *options).strip()


def _remembered(settings: Settings, applied: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Keeps the secrets of all partners in a file, because postbackctl shows each secret only once."""
    secrets = read_json(settings.secrets_file) or {}
    for entry in applied:
        created = {name: entry[name] for name in ("token", "signature_secret", "webhook_secret") if entry.get(name)}
        secrets[entry["provider"]] = {**secrets.get(entry["provider"], {}), **created}
    write_json(settings.secrets_file, secrets)
    return secrets


def _parsed(answer: str) -> list[dict[str, Any]]:
    try:
        return list(json.loads(answer)["partners"])
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(
            f"{COMMAND} apply --json printed something other than its documented JSON.", f"Correct {COMMAND}: {error!r}"
        ) from error


def _call(settings: Settings, program: Path, *arguments: str) -> str:
    command = [str(program), "--stack", settings.stack_name, *arguments]
    with settings.apply_log.open("a", encoding="utf-8") as errors:
        done = processes.run(command, environment=settings.client_environment(), capture=True, errors=errors)
    if done.returncode != 0:
        raise Failure(
            f"{COMMAND} {arguments[0]} failed with status {done.returncode}. The end of what it said:\n"
            f"{tail(settings.apply_log, 40)}",
            f"Correct the files in {PARTNERS}, or look into {settings.logs}.",
        )
    return done.stdout
