"""Looks for reasons why a deployment would fail, before anything is changed. Every call only reads."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.local.console import Failure, say

from . import stack
from .environments import Environment

# Lambda keeps this much concurrency for functions that reserve none, and refuses to reserve it.
UNRESERVED = 100
# Parameters that reserve concurrency. 0 reserves none.
RESERVED = ("ClickReservedConcurrency", "PostbackReservedConcurrency")


def account(environment: Environment) -> str:
    """Returns the account that the credentials belong to."""
    try:
        return str(stack.client(environment, "sts").get_caller_identity()["Account"])
    except (BotoCoreError, ClientError) as error:
        raise Failure(
            f"AWS does not accept the credentials: {error}",
            "Log in, for example with aws sso login, and name the profile: AWS_PROFILE=… make deploy ENV=staging",
        ) from error


def run(environment: Environment) -> None:
    """Fails with the cure if the stack cannot be made or updated now."""
    described = stack.describe(environment)
    if described is None:
        _names_are_free(environment)
    else:
        _can_be_updated(environment, described["StackStatus"])
    _certificate_is_issued(environment)
    _quotas_are_enough(environment, described is None)


def _can_be_updated(environment: Environment, status: str) -> None:
    name = environment.stack
    if status in stack.FAILED_FIRST:
        raise Failure(
            f"The first deployment of {name} failed ({status}), and such a stack cannot be updated.",
            f"Remove what it left, then deploy again: make destroy ENV={environment.name}",
        )
    if status in ("UPDATE_ROLLBACK_FAILED",):
        raise Failure(
            f"The last deployment of {name} could not be rolled back ({status}).",
            f"Mend what the stack's events name, then: aws cloudformation continue-update-rollback --stack-name {name}",
        )
    if status == "DELETE_FAILED":
        raise Failure(
            f"The stack {name} could not be deleted ({status}).", f"Try again: make destroy ENV={environment.name}"
        )
    if status.endswith("_IN_PROGRESS"):
        raise Failure(
            f"Another deployment of {name} is running ({status}). CloudFormation makes one change at a time.",
            "Wait until it has ended, then deploy again.",
        )


def _names_are_free(environment: Environment) -> None:
    taken = tables_of(environment) + queues_of(environment)
    if taken:
        raise Failure(
            f"There is no stack {environment.stack}, but its names are taken: {', '.join(taken)}.",
            "They are left from an earlier stack. docs/deploying.md#deploy-again-under-the-same-name says how to go on; "
            "or choose another stack_name in samconfig.toml.",
        )


def tables_of(environment: Environment) -> list[str]:
    """Returns the tables whose names begin like those of the stack."""
    pages = stack.client(environment, "dynamodb").get_paginator("list_tables").paginate()
    names = (name for page in pages for name in page["TableNames"])
    return sorted(name for name in names if _is_of(environment, name))


def queues_of(environment: Environment) -> list[str]:
    """Returns the queues whose names begin like those of the stack."""
    pages = stack.client(environment, "sqs").get_paginator("list_queues").paginate(QueueNamePrefix=f"{environment.stack}-")
    names = (url.rsplit("/", 1)[1] for page in pages for url in page.get("QueueUrls", []))
    return sorted(name for name in names if _is_of(environment, name))


def buckets_of(environment: Environment) -> list[str]:
    """Returns the buckets that CloudFormation named after the stack's archive, usually one."""
    prefix = f"{environment.stack}-archivebucket-".lower()
    buckets = stack.client(environment, "s3").list_buckets()["Buckets"]
    return sorted(bucket["Name"] for bucket in buckets if bucket["Name"].startswith(prefix))


def _is_of(environment: Environment, name: str) -> bool:
    """Leaves out names of another stack, such as `gg3-postback-staging-partners` when this one is `gg3-postback`."""
    return name.startswith(f"{environment.stack}-") and name.removeprefix(f"{environment.stack}-") in environment.nouns


def _certificate_is_issued(environment: Environment) -> None:
    domain, arn = environment.parameter("DomainName"), environment.parameter("CertificateArn")
    if not domain and not arn:
        return
    section = f"[{environment.name}.deploy.parameters]"
    if not domain or not arn:
        missing = "CertificateArn" if domain else "DomainName"
        raise Failure(f"{section} sets a domain or a certificate, but no {missing}.", "Set both DomainName and CertificateArn.")
    if f":acm:{environment.region}:" not in arn:
        raise Failure(
            f"CertificateArn {arn} is not of the region {environment.region}.",
            f"Request a certificate there: aws acm request-certificate --domain-name {domain} --validation-method DNS",
        )
    certificate = _certificate(environment, arn)
    status = certificate.get("Status", "MISSING")
    if status != "ISSUED":
        raise Failure(
            f"The certificate {arn} is not issued ({status}).",
            f"Add the DNS record that aws acm describe-certificate --certificate-arn {arn} shows, and wait for ISSUED.",
        )
    names = {certificate.get("DomainName", ""), *certificate.get("SubjectAlternativeNames", [])}
    if domain not in names and f"*.{domain.split('.', 1)[-1]}" not in names:
        raise Failure(
            f"The certificate {arn} is for {', '.join(sorted(names))}, and not for {domain}.", "Request one that names it."
        )


def _certificate(environment: Environment, arn: str) -> dict[str, Any]:
    try:
        return dict(stack.client(environment, "acm").describe_certificate(CertificateArn=arn)["Certificate"])
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return {}
        raise


def _quotas_are_enough(environment: Environment, is_new: bool) -> None:
    limits = stack.client(environment, "lambda").get_account_settings()["AccountLimit"]
    total, free = limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]
    wanted = sum(int(environment.parameter(name)) for name in RESERVED)
    # `free` leaves out the reservations that an existing stack already has. Such a stack is compared with the total.
    available = free if is_new else total
    if wanted and available - wanted < UNRESERVED:
        raise Failure(
            f"{' and '.join(RESERVED)} reserve {wanted}, but the account has a concurrency of {total}, {free} of it "
            f"unreserved, and Lambda keeps {UNRESERVED} for other functions.",
            "Ask for more: aws service-quotas request-service-quota-increase --service-code lambda --quota-code L-B99A9384 "
            "--desired-value 1000; or set both parameters to 0.",
        )
    threshold = int(environment.parameter("ConcurrencyThreshold"))
    if threshold >= total:
        say(f"  Note: the alarm Concurrency rings above {threshold}, and the account's limit is {total}. Set it to {total * 8 // 10}.")
