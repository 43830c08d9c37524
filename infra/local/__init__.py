"""The local stack: `template.yaml`, deployed to an AWS emulator on this machine.

`python3 -m infra.local --help` lists the commands; the Makefile is how people call them.

    __main__        the command line; makes the virtual environment, then runs again inside it
    commands        up, down, run, test, smoke, as sequences of the steps below
    settings        what can be configured, and where files are
    console         steps with progress, and failures that say what to do
    virtualenv      the virtual environment, made once for each requirements file
    build           one cargo call, and the binaries it made
    supervisor      starts the emulator; finds and stops it, everything it started, and the partner simulator
    emulator        the emulator's own process: ministack, with its logs and its end put right
    processes       process groups and listening ports, as the operating system sees them
    deploy          packages template.yaml and deploys it through CloudFormation
    simulator       the partner simulator, which webhooks are sent to
    partner_copies  the partner files, their webhooks led to the simulator
    partners        the sample partners and their links, by way of the operator's command
    files           JSON files that are whole or not there
    stack_file      .stack/stack.json, all that a client needs to know

Only `settings`, `console` and `virtualenv` may be imported before the virtual environment exists.
"""
