"""The stack in CloudFormation: its state, its update by `sam deploy`, and its deletion."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from infra.local import processes
from infra.local.console import Failure, loud_step, say, step
from infra.local.settings import REPOSITORY

from .artifacts import Record
from .environments import Environment

# A stack in this state was described but never created.
UNMADE = "REVIEW_IN_PROGRESS"
# The first deployment failed. Such a stack can only be deleted.
FAILED_FIRST = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED")
# Attempts are 5 s apart, so a deletion may take half an hour.
DELETE_ATTEMPTS = 360


def client(environment: Environment, service: str) -> Any:
    return boto3.client(service, region_name=environment.region)


def describe(environment: Environment) -> dict[str, Any] | None:
    """Returns the stack as CloudFormation describes it, or None if the stack was never created or is deleted."""
    try:
        found = client(environment, "cloudformation").describe_stacks(StackName=environment.stack)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError" and "does not exist" in str(error):
            return None
        raise
    standing = [one for one in found if one["StackStatus"] not in (UNMADE, "DELETE_COMPLETE")]
    return standing[0] if standing else None


def outputs(environment: Environment) -> dict[str, str]:
    described = describe(environment) or {}
    return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}


def is_attended() -> bool:
    """Returns True if a person can answer a question."""
    return sys.stdin.isatty() and sys.stdout.isatty() and not os.environ.get("CI")


def deploy(environment: Environment, record: Record, asks: bool) -> None:
    """Makes or updates the stack with `sam deploy`, which changes nothing if nothing differs."""
    if shutil.which("sam") is None:
        raise Failure("sam was not found.", "Run make deploy, which installs it, or pip install aws-sam-cli.")
    # `sam deploy` keeps the old value of a parameter that is not named, even if the default has changed. So all are
    # named, in sam's own quotes, because a value may be empty or hold a space.
    values = {**environment.defaults, **environment.overrides, "Commit": record.commit}
    values["Release"] = record.release(values)
    command = ["sam", "deploy", "--config-file", str(environment.file), "--config-env", environment.name]
    command += ["--region", environment.region, "--no-fail-on-empty-changeset"]
    command += ["--confirm-changeset" if asks else "--no-confirm-changeset"]
    command += ["--tags", f"environment={environment.name}"]
    command += ["--parameter-overrides", *(f'{name}="{value}"' for name, value in values.items())]
    with loud_step(f"Deploying {record.commit} to the stack {environment.stack} in {environment.region}"):
        quiet = {"SAM_CLI_TELEMETRY": "0", "SAM_CLI_POLL_DELAY": "2"}
        done = processes.run(command, environment=quiet, attended=asks)
        if done.returncode != 0:
            raise Failure(
                f"sam deploy failed; its report is above. {_state_after_failure(environment)}",
                "docs/deploying.md has the failures that are known, each with its cure.",
            )


def _state_after_failure(environment: Environment) -> str:
    try:
        described = describe(environment)
    except (BotoCoreError, ClientError):
        return ""
    return f"The stack is in the state {described['StackStatus']}." if described else "There is no stack."


def protect(environment: Environment) -> None:
    """Makes CloudFormation refuse to delete the stack, if its tables refuse to be deleted."""
    if environment.parameter("DeletionProtection") == "true":
        client(environment, "cloudformation").update_termination_protection(
            StackName=environment.stack, EnableTerminationProtection=True
        )


def delete(environment: Environment, described: dict[str, Any]) -> None:
    cloudformation = client(environment, "cloudformation")
    if described.get("EnableTerminationProtection"):
        raise Failure(
            f"The stack {environment.stack} is protected from deletion.",
            "If it is to go: aws cloudformation update-termination-protection --no-enable-termination-protection "
            f"--stack-name {environment.stack}",
        )
    with step(f"Deleting the stack {environment.stack}"):
        cloudformation.delete_stack(StackName=environment.stack)
        try:
            waiter = cloudformation.get_waiter("stack_delete_complete")
            waiter.wait(StackName=described["StackId"], WaiterConfig={"Delay": 5, "MaxAttempts": DELETE_ATTEMPTS})
        except WaiterError as error:
            raise Failure(
                f"The stack {environment.stack} could not be deleted: {error}",
                f"aws cloudformation describe-stack-events --stack-name {environment.stack} says why.",
            ) from error


def smoke(environment: Environment) -> int:
    """Checks the deployment from outside, with the operator's command, and returns its exit code."""
    url = outputs(environment).get("ApiUrl")
    if not url:
        raise Failure(f"The stack {environment.stack} has no output ApiUrl.", "Deploy again; look at the stack's events.")
    manifest = ["--manifest-path", str(REPOSITORY / "Cargo.toml")]
    command = ["cargo", "run", *manifest, "--locked", "--quiet", "-p", "postbackctl", "--", "smoke", "--url", url]
    provider, token = os.environ.get("PROVIDER"), os.environ.get("TOKEN")
    if provider and token:
        command += ["--provider", provider]
    say(f"  Checking {url} …")
    # The token is passed in the environment, because every user of a machine can read command lines.
    given = {"GG3_SMOKE_TOKEN": token} if provider and token else {}
    return processes.run(command, environment=given).returncode
