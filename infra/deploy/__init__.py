"""Deploys to AWS: `make deploy ENV=staging` and `make destroy ENV=staging`.

    __main__        the command line, and the order of the steps
    environments    an environment: a section of samconfig.toml, with its parameters
    artifacts       the functions' binaries: building them, and checking that they are what is to be deployed
    checks          what can be known to fail before anything is changed
    stack           the stack in CloudFormation: its state, its update by `sam deploy`, its deletion

Every decision is made here, so that a pipeline and a person get the same one. The tests run it with stand-ins for `cargo`,
`sam` and `git`, against the local AWS.
"""
