"""The local stack: `template.yaml`, deployed to an AWS emulator on this machine.

`python3 -m infra.local --help` lists the commands. People call them through the Makefile.

    __main__        the command line; makes the virtual environment, then runs again inside it
    commands        up, down, run, test, smoke, as sequences of the steps below
    settings        the configuration, and where files are
    console         steps with progress, and failures with their cure
    virtualenv      the virtual environment, made once for each requirements file
    build           one cargo call, and the binaries that it makes
    supervisor      starts the emulator; finds and stops the processes of the stack
    emulator        the emulator's process: ministack, with corrections of its logging and its stopping
    processes       process groups and listening ports, as the operating system sees them
    deploy          packages template.yaml and deploys it through CloudFormation
    simulator       the partner simulator, which receives the webhooks
    partner_copies  copies of the partner files whose webhooks lead to the simulator
    partners        the sample partners and their links, made with the operator's command
    files           JSON files that are written completely or not at all
    stack_file      .stack/stack.json, which holds everything that a client needs

Only `settings`, `console` and `virtualenv` may be imported before the virtual environment exists.
"""
