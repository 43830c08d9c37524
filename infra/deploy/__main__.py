"""The command line, and the order of the steps."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from infra.local.console import Failure, Interrupted, fail, say
from infra.local.settings import REPOSITORY

from . import artifacts, checks, destroy, environments, stack


def main() -> int:
    arguments = _parser().parse_args()
    try:
        environment = environments.read(arguments.env, arguments.config_file)
        # The operator's command and sam find the region in this variable, whatever a profile says.
        os.environ.update({"AWS_REGION": environment.region, "AWS_DEFAULT_REGION": environment.region})
        if arguments.command == "destroy":
            return destroy.run(environment, with_data=arguments.data == "delete", agreed=arguments.yes)
        if arguments.command == "package":
            artifacts.build(environment, arguments.binaries)
            artifacts.check(environment, arguments.binaries)
            return 0
        return _deploy(environment, arguments)
    except Failure as failure:
        fail(failure)
        return 1
    except (BotoCoreError, ClientError) as error:
        fail(Failure(f"AWS refused a call: {error}", "infra/deploy/policy.json lists what the deploying role must be allowed."))
        return 1
    except (Interrupted, KeyboardInterrupt):
        say("\nInterrupted. A change that CloudFormation has begun goes on; look at the stack's events.")
        return 130


def _deploy(environment: environments.Environment, arguments: argparse.Namespace) -> int:
    commit = artifacts.commit()
    if environment.is_production and commit.endswith("-dirty"):
        raise Failure("Files differ from the commit that is checked out.", "Commit them first, or deploy to staging.")
    account = checks.account(environment)
    checks.run(environment)
    if arguments.build:
        artifacts.build(environment, arguments.binaries)
    record = artifacts.check(environment, arguments.binaries)
    if environment.is_production and record.commit.endswith("-dirty"):
        raise Failure(f"The functions were built from uncommitted files ({record.commit}).", "Commit them and build again.")
    # A build takes minutes, in which somebody else may have begun a deployment.
    checks.run(environment)
    say(f"  Account {account}, region {environment.region}, stack {environment.stack}, commit {record.commit}.")
    stack.deploy(environment, record, asks=stack.is_attended() and not arguments.yes)
    stack.protect(environment)
    if stack.smoke(environment) != 0:
        raise Failure(
            f"{environment.stack} is deployed, but does not answer as it should; the report is above.",
            "See docs/runbook.md#5xx, or deploy the previous commit.",
        )
    say(f"✓ {environment.stack} runs {record.commit}. No partner file was applied; postbackctl apply does that.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m infra.deploy", description="Deploys template.yaml to AWS.")
    parser.add_argument("command", choices=["package", "deploy", "destroy"])
    parser.add_argument("--env", required=True, help="a section of samconfig.toml, such as staging")
    parser.add_argument("--config-file", type=Path, default=REPOSITORY / "samconfig.toml")
    parser.add_argument("--binaries", type=Path, default=REPOSITORY / "target" / "lambda", help="where the functions are built")
    parser.add_argument("--no-build", dest="build", action="store_false", help="deploy what make package built")
    parser.add_argument("--yes", action="store_true", help="ask nothing")
    parser.add_argument("--data", choices=["keep", "delete"], default="keep", help="destroy: delete tables, queues and the archive too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
