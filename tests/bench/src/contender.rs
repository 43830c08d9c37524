//! Describes the programs: our functions, and contenders that do the same work elsewhere.

use std::{
    env, fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use flate2::{Compression, write::DeflateEncoder};
use tests::runtime_api::Settings;

use crate::{job::Job, world::World};

/// Gives the size of the headers that an archive of one file adds, in bytes.
const ZIP_OVERHEAD: usize = 150;

/// Names a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Program {
    /// The program is a Rust function, ours or a contender.
    Rust(&'static str),
    /// The program is a Rust contender that runs with the allocator's setting of our deployed functions.
    OurAllocator(&'static str),
    /// The program is a bundled module of Node.
    Node(&'static str),
    /// The program is a script of Python.
    Python(&'static str),
}

impl Program {
    /// Returns true for a function that is deployed.
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Rust(name) if !name.starts_with("contender"))
    }

    /// Returns the program's name in tables.
    pub fn name(self) -> String {
        match self {
            Self::Rust("contender-empty") => "empty function".to_owned(),
            Self::Rust("contender-bare") => "bare function".to_owned(),
            Self::Rust(name) => name.to_owned(),
            Self::OurAllocator(name) => format!("{}, our allocator's setting", Self::Rust(name).name()),
            Self::Node(variant) => format!("Node 20, {variant}"),
            Self::Python(variant) => format!("Python 3.11, {variant}"),
        }
    }

    /// Returns the settings with which the program is started. `with` is a command that runs the program.
    pub fn settings(self, world: &World, with: &[String]) -> Result<Settings> {
        let file = self.file();
        ensure!(file.exists(), "{} is missing; `make bench` builds it", file.display());
        let mut command: Vec<String> = with.to_vec();
        match self {
            Self::Rust(_) | Self::OurAllocator(_) => {}
            Self::Node(_) => command.push(found("node")?),
            Self::Python(_) => command.push(root().join("target/bench/python/bin/python").display().to_string()),
        }
        command.push(file.display().to_string());
        let binary = if command.len() == 1 { file } else { script(world, &command)? };
        let mut settings = Settings::new(binary).variables(world.environment()).timeout(Duration::from_mins(1));
        if self.is_ours() || matches!(self, Self::OurAllocator(_)) {
            settings = settings.variable("GLIBC_TUNABLES", tunables()?);
        }
        if matches!(self, Self::Rust(_) | Self::OurAllocator(_)) {
            // The function trusts this authority in addition to the system's authorities, which are those of
            // SSL_CERT_FILE. On Lambda the functions read one file less.
            let alone = world.authority.alone().display().to_string();
            settings = settings.variable("AWS_CA_BUNDLE", alone);
        }
        if matches!(self, Self::Node("powertools") | Self::Python("powertools")) {
            settings = settings.variable("TABLE", "idempotency");
        }
        let seconds = match self {
            Self::Rust("click") => "5",
            Self::Rust("postback") => "10",
            _ => "60",
        };
        Ok(settings.name(self.name()).variable("FUNCTION_TIMEOUT_SECONDS", seconds))
    }

    /// Returns the size of the archive to upload, in bytes. The archive of a Python program contains our own text and
    /// Powertools. It lacks boto3, because Lambda provides boto3.
    pub fn zip_bytes(self) -> Result<usize> {
        let file = self.file();
        match self {
            Self::Rust(_) | Self::OurAllocator(_) | Self::Node(_) => Ok(deflated(&fs::read(file)?)? + ZIP_OVERHEAD),
            Self::Python(variant) => {
                let folder = file.parent().context("a script has a folder")?;
                let packages = root().join("target/bench/python/lib/python3.11/site-packages/aws_lambda_powertools");
                let own = [folder.join("postback.py"), folder.join("runtime.py"), file.clone()];
                let own: usize = own.iter().map(|path| deflated(&fs::read(path)?)).sum::<Result<_>>()?;
                Ok(own + if variant == "powertools" { folder_bytes(&packages)? } else { 0 })
            }
        }
    }

    fn file(self) -> PathBuf {
        let contenders = root().join("tests/bench/contenders");
        match self {
            Self::Rust(name) | Self::OurAllocator(name) => root().join("target/release").join(name),
            Self::Node(variant) => contenders.join(format!("node/dist/{variant}.mjs")),
            Self::Python(variant) => contenders.join(format!("python/{variant}.py")),
        }
    }
}

/// Returns the allocator's setting of the deployed functions, from template.yaml.
fn tunables() -> Result<String> {
    const NAME: &str = "GLIBC_TUNABLES:";
    let template = fs::read_to_string(root().join("template.yaml"))?;
    let value = template.lines().find_map(|line| line.trim().strip_prefix(NAME));
    Ok(value.with_context(|| format!("template.yaml has no {NAME}"))?.trim().to_owned())
}

/// Describes a program and the job that it does. Each contender is one line of the results.
#[derive(Debug, Clone)]
pub struct Contender {
    /// Gives the program.
    pub program: Program,
    /// Gives the job.
    pub job: Job,
    /// Gives the job's name in tables.
    pub label: String,
}

impl Contender {
    fn new(program: Program, job: Job, label: &str) -> Self {
        Self { program, job, label: label.to_owned() }
    }

    /// Returns all contenders in the tables' order.
    pub fn all() -> Vec<Self> {
        let (empty, bare) = (Program::Rust("contender-empty"), Program::Rust("contender-bare"));
        let alike = Program::OurAllocator("contender-bare");
        let [click, postback, relay, evaluator, sender] =
            ["click", "postback", "conversion-relay", "event-evaluator", "webhook-sender"].map(Program::Rust);
        let lookups = Program::Rust("lookup-writer");
        let deliveries = |count, way| Job::Deliveries { count, way, attempt: 1 };
        let mut all = vec![
            Self::new(empty, Job::NewPostback, "nothing"),
            Self::new(bare, Job::NewPostback, "new"),
            Self::new(bare, Job::Duplicate, "duplicate"),
            Self::new(alike, Job::NewPostback, "new"),
            Self::new(alike, Job::Duplicate, "duplicate"),
            Self::new(postback, Job::NewPostback, "new"),
            Self::new(postback, Job::Duplicate, "duplicate"),
            Self::new(postback, Job::Conflict, "conflict"),
            Self::new(postback, Job::Malformed, "malformed"),
            Self::new(postback, Job::Unauthorized, "unauthorized"),
            Self::new(click, Job::Click, "redirected"),
            Self::new(relay, Job::Conversions(1), "1 conversion"),
            Self::new(relay, Job::Conversions(10), "10 conversions"),
            Self::new(relay, Job::Conversions(100), "100 conversions"),
            Self::new(lookups, Job::Lookups(1), "1 postback"),
            Self::new(lookups, Job::Lookups(100), "100 postbacks"),
            Self::new(evaluator, Job::Openings(1), "1 event"),
            Self::new(evaluator, Job::Openings(10), "10 events of 10 users"),
            Self::new(evaluator, Job::Goals(1), "1 event, goal reached"),
            Self::new(evaluator, Job::Goals(10), "10 events, 10 goals reached"),
            Self::new(evaluator, Job::Repeated, "1 event, repeated"),
            Self::new(evaluator, Job::NotNeeded, "1 event, not needed"),
            Self::new(sender, deliveries(1, "instant"), "1 delivery"),
            Self::new(sender, deliveries(10, "instant"), "10 deliveries"),
            Self::new(sender, deliveries(1, "failing"), "1 attempt, failed"),
            Self::new(sender, deliveries(10, "failing"), "10 attempts, failed"),
        ];
        all.push(Self::new(Program::Rust("delivery-sweep"), Job::Sweep, "nothing is late"));
        for variant in ["plain", "powertools"] {
            for program in [Program::Node(variant), Program::Python(variant)] {
                all.push(Self::new(program, Job::NewPostback, "new"));
                all.push(Self::new(program, Job::Duplicate, "duplicate"));
            }
        }
        all
    }

    /// Returns the contender's name in tables.
    pub fn name(&self) -> String {
        format!("{}: {}", self.program.name(), self.label)
    }
}

/// Returns the project's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new(".")).to_owned()
}

/// Returns where the PATH has this program.
pub fn found(program: &str) -> Result<String> {
    let paths = env::var_os("PATH").unwrap_or_default();
    let path = env::split_paths(&paths).map(|folder| folder.join(program)).find(|path| path.is_file());
    path.map(|path| path.display().to_string()).with_context(|| format!("{program} is not on the PATH"))
}

/// Writes a script that replaces itself with this command, so that there is only one process.
fn script(world: &World, command: &[String]) -> Result<PathBuf> {
    let text = format!("#!/bin/sh\nexec {}\n", command.join(" "));
    let name = command.last().and_then(|last| Path::new(last).file_name()).context("a command")?;
    let digest = text.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let path = world.folder.join(format!("{}-{digest:x}.sh", name.display()));
    fs::write(&path, text)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

fn deflated(bytes: &[u8]) -> Result<usize> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}

fn folder_bytes(folder: &Path) -> Result<usize> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        sum += if path.is_dir() { folder_bytes(&path)? } else { deflated(&fs::read(path)?)? };
    }
    Ok(sum)
}

/// Returns a program's version in one line.
pub fn version(program: &str) -> String {
    let output = Command::new(program).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or("?").to_owned()
}
