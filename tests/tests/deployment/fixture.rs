//! Runs `python3 -m infra.deploy` with stand-ins for `cargo`, `sam` and `git`, against the local AWS.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use tests::{fresh, stack::Stack};

/// Each stand-in writes its name and arguments to `calls`. `cargo lambda build` makes programs that are only a header.
const CARGO: &str = r#"#!/bin/bash
echo "cargo $*" >> "$CALLS"
case "$1" in
lambda)
    machine='\xb7'; directory=
    for ((i = 1; i <= $#; i++)); do
        case "${!i}" in
        --x86-64) machine='\x3e' ;;
        --lambda-dir) j=$((i + 1)); directory=${!j} ;;
        # The folder has the name of the program, which a crate such as console-function has without its end.
        -p) j=$((i + 1)); program="${!j}"; program="${program%-function}"; mkdir -p "$directory/$program"
            printf '\x7fELF\2\1\1\0\0\0\0\0\0\0\0\0\3\0'"$machine"'\0' > "$directory/$program/bootstrap" ;;
        esac
    done ;;
run) exit "${SMOKE:-0}" ;;
esac
"#;
const SAM: &str = "#!/bin/bash\necho \"sam $*\" >> \"$CALLS\"\nexit \"${SAM:-0}\"\n";
const GIT: &str =
    "#!/bin/bash\ncase \"$*\" in *rev-parse*) echo 1da60ba1c2 ;; *status*) echo -n \"$CHANGED\" ;; esac\n";

/// Holds a folder with the stand-ins, a samconfig.toml, and the functions that are built.
pub(crate) struct Deployer {
    pub(crate) stack: Stack,
    pub(crate) folder: PathBuf,
    variables: Vec<(String, String)>,
}

/// Holds the output of a command, and the calls that the command made.
pub(crate) struct Ran {
    pub(crate) is_done: bool,
    pub(crate) said: String,
    pub(crate) calls: Vec<String>,
}

impl Deployer {
    /// Makes an environment `staging` of the stack of the tests.
    pub(crate) fn new() -> Self {
        let stack = Stack::from_env().unwrap_or_else(|fault| panic!("{fault}"));
        let folder = env::temp_dir().join(fresh("deployer"));
        fs::create_dir_all(folder.join("bin")).unwrap();
        for (name, script) in [("cargo", CARGO), ("cargo-lambda", CARGO), ("sam", SAM), ("git", GIT)] {
            let path = folder.join("bin").join(name);
            fs::write(&path, script).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let deployer = Self { stack, folder, variables: Vec::new() };
        deployer.configure(&deployer.stack.stack_name, &["DeletionProtection=false"]);
        deployer
    }

    /// Configures the environments `staging` and `prod` with this stack name and these parameters.
    pub(crate) fn configure(&self, stack: &str, parameters: &[&str]) {
        let section = |name: &str| {
            format!(
                "[{name}.deploy.parameters]\nstack_name = \"{stack}\"\ns3_prefix = \"{stack}-{name}\"\n\
                 region = \"us-east-1\"\nparameter_overrides = {parameters:?}\n"
            )
        };
        self.write("samconfig.toml", &(section("staging") + &section("prod")));
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.join(name), text).unwrap();
    }

    /// Sets an environment variable of the commands that follow.
    pub(crate) fn variable(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Runs `infra.deploy` with these arguments.
    pub(crate) fn run(&self, words: &str) -> Ran {
        let calls = self.folder.join("calls");
        let _ = fs::remove_file(&calls);
        let mut command = self.python();
        command.args(["-m", "infra.deploy"]).args(words.split(' '));
        command.arg("--config-file").arg(self.folder.join("samconfig.toml"));
        command.arg("--binaries").arg(self.folder.join("lambda"));
        let output = command.output().unwrap();
        let calls = fs::read_to_string(calls).unwrap_or_default();
        Ran { is_done: output.status.success(), said: text(&output), calls: calls.lines().map(str::to_owned).collect() }
    }

    /// Runs a Python script with the clients `dynamodb`, `sqs` and `cloudformation`, and returns what it prints.
    pub(crate) fn script(&self, script: &str) -> String {
        let clients =
            "import boto3\ndynamodb, sqs, cloudformation = map(boto3.client, ('dynamodb', 'sqs', 'cloudformation'))\n";
        let output = self.python().args(["-c", &format!("{clients}{script}")]).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        text(&output)
    }

    fn python(&self) -> Command {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut command = Command::new(repository.join(".venv/local/bin/python"));
        command.current_dir(repository).env_clear().stdin(Stdio::null());
        command.envs(self.stack.aws_environment(&self.stack.aws_endpoint_url));
        command.env("PATH", format!("{}:/usr/bin:/bin", self.folder.join("bin").display()));
        command.env("CALLS", self.folder.join("calls")).env("PYTHONDONTWRITEBYTECODE", "1").env("no_proxy", "*");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl Drop for Deployer {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Ran {
    /// Asserts that the command failed with all of these words, and that nothing was changed.
    pub(crate) fn assert_refused(&self, words: &[&str]) {
        assert!(!self.is_done, "{}", self.said);
        for word in words {
            assert!(self.said.contains(word), "{word} is missing in:\n{}", self.said);
        }
        assert!(!self.calls.iter().any(|call| call.starts_with("sam")), "{:?}", self.calls);
    }

    pub(crate) fn assert_done(&self) {
        assert!(self.is_done, "{}", self.said);
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
