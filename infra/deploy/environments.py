"""Reads an environment: a section of samconfig.toml, and the defaults of template.yaml."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from infra.local.console import Failure
from infra.local.settings import TEMPLATE

try:
    import tomllib
except ModuleNotFoundError as error:
    raise SystemExit("make deploy needs Python 3.11 or newer. Name one: make deploy PYTHON=python3.11") from error

# An environment of this name is never destroyed, and gets only what is committed.
PRODUCTION = "prod"
# Parameters that every deployment sets itself.
STAMPED = ("Commit", "Release")


@dataclass(frozen=True)
class Environment:
    """Holds the name of an environment, its stack and region, and the template's parameters that its section sets."""

    name: str
    file: Path
    stack: str
    region: str
    overrides: dict[str, str]
    defaults: dict[str, str]
    functions: tuple[str, ...]
    # Holds the names of the stack's tables and queues, without the stack's own name.
    nouns: frozenset[str]

    def parameter(self, name: str) -> str:
        """Returns the value of a template's parameter in this environment's deployment."""
        return self.overrides.get(name, self.defaults[name])

    @property
    def is_production(self) -> bool:
        return self.name == PRODUCTION


def read(name: str, file: Path) -> Environment:
    """Reads the environment, and fails if its section is missing, incomplete, or names an unknown parameter."""
    configuration = _toml(file)
    known = sorted(key for key, value in configuration.items() if isinstance(value, dict) and key != "default")
    if name not in known:
        what = f"ENV={name} is not an environment" if name else "ENV is not set"
        raise Failure(
            f"{what}. {file.name} has {', '.join(known) or 'no environment'}.",
            f"Name one, as in make deploy ENV=staging, or add a section [{name or 'staging'}.deploy.parameters].",
        )
    section = {
        **configuration[name].get("global", {}).get("parameters", {}),
        **configuration[name].get("deploy", {}).get("parameters", {}),
    }
    for key in ("stack_name", "s3_prefix"):
        if not section.get(key):
            raise Failure(f"[{name}.deploy.parameters] of {file.name} has no {key}.", f"Add {key}; each environment has its own.")
    _refuse_shared_prefix(name, section["s3_prefix"], configuration, file)
    template = _template()
    defaults = {key: str(value.get("Default", "")) for key, value in template["Parameters"].items()}
    overrides = _overrides(section.get("parameter_overrides", []))
    unknown = sorted((set(overrides) - set(defaults)) | (set(overrides) & set(STAMPED)))
    if unknown:
        raise Failure(
            f"[{name}.deploy.parameters] of {file.name} sets {', '.join(unknown)}, which template.yaml does not have, or make deploy sets.",
            "Correct the name. The parameters are at the top of template.yaml.",
        )
    return Environment(
        name=name,
        file=file,
        stack=section["stack_name"],
        region=_region(name, section, file),
        overrides=overrides,
        defaults=defaults,
        functions=_functions(template),
        nouns=_nouns(template),
    )


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise Failure(f"{file} cannot be read: {error}.", "Correct the file.") from error


def _template() -> dict[str, Any]:
    return dict(yaml_parse(TEMPLATE.read_text(encoding="utf-8")))


def _functions(template: dict[str, Any]) -> tuple[str, ...]:
    """Returns the functions' programs, which are the last parts of their CodeUris."""
    kinds = (value for value in template["Resources"].values() if isinstance(value, dict))
    functions = (value["Properties"]["CodeUri"] for value in kinds if value.get("Type") == "AWS::Serverless::Function")
    return tuple(sorted(Path(uri).name for uri in functions))


def _nouns(template: dict[str, Any]) -> frozenset[str]:
    """Returns the names of these resources without the stack's: `partners` for `!Sub ${AWS::StackName}-partners`."""
    properties = (value.get("Properties", {}) for value in template["Resources"].values() if isinstance(value, dict))
    names = (one.get("TableName") or one.get("QueueName") for one in properties)
    return frozenset(name["Fn::Sub"].removeprefix("${AWS::StackName}-") for name in names if isinstance(name, dict) and "Fn::Sub" in name)


def _overrides(given: Any) -> dict[str, str]:
    pairs = given.split() if isinstance(given, str) else given
    return dict(pair.split("=", 1) for pair in pairs)


def _region(name: str, section: dict[str, Any], file: Path) -> str:
    """Returns the section's region. Fails if the shell names another region, so that nothing is deployed there."""
    fixed = section.get("region", "")
    asked = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
    if fixed and asked and fixed != asked:
        raise Failure(
            f"AWS_REGION is {asked}, but [{name}.deploy.parameters] of {file.name} deploys to {fixed}.",
            f"Set AWS_REGION={fixed}, or change the section's region.",
        )
    if not fixed and not asked:
        raise Failure(f"[{name}.deploy.parameters] of {file.name} names no region.", 'Add region = "us-east-1", or another.')
    return fixed or asked


def _refuse_shared_prefix(name: str, prefix: str, configuration: dict[str, Any], file: Path) -> None:
    """Refuses a prefix that two environments share.

    A deletion of one stack's packages would delete those that the other stack rolls back to.
    """
    for other, section in configuration.items():
        if other == name or not isinstance(section, dict):
            continue
        if section.get("deploy", {}).get("parameters", {}).get("s3_prefix") == prefix:
            raise Failure(
                f"{file.name} has the s3_prefix {prefix} in [{name}] and in [{other}].",
                "Give each environment a prefix of its own.",
            )
