"""Deploys to AWS: `make deploy ENV=staging` and `make destroy ENV=staging`.

    __main__        the command line, and the order of the steps
    environments    an environment: a section of samconfig.toml, with its parameters
    artifacts       builds the functions' binaries, and checks that they are the ones to deploy
    checks          looks for reasons why a deployment would fail, before anything is changed
    stack           the stack in CloudFormation: its state, its update by `sam deploy`, its deletion

Every decision is made here, so that a pipeline and a person get the same one. The tests run this package with stand-ins
for `cargo`, `sam` and `git`, against the local AWS.
"""
