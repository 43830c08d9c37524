//! Installs the packages of npm that tests use: once, under `target`, and again if their pinned versions change.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
};

/// Returns the folder beside which Node finds the packages, or `None` on a machine without Node.
pub fn libraries() -> Option<&'static Path> {
    static FOLDER: LazyLock<Option<PathBuf>> = LazyLock::new(|| packages("libraries"));
    FOLDER.as_deref()
}

/// Installs the packages that the folder of this name under `tests` pins. Returns the folder with the packages, or `None`
/// on a machine without Node.
pub fn packages(name: &str) -> Option<PathBuf> {
    Command::new("npm").arg("--version").output().ok()?;
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let (pinned, folder) = (repository.join("tests").join(name), repository.join("target").join(name));
    let (lock, installed) = (fs::read(pinned.join("package-lock.json")).unwrap(), folder.join("installed"));
    if fs::read(&installed).ok().as_deref() != Some(lock.as_slice()) {
        fs::create_dir_all(&folder).unwrap();
        for file in ["package.json", "package-lock.json"] {
            fs::copy(pinned.join(file), folder.join(file)).unwrap();
        }
        let mut install = Command::new("npm");
        install.args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder).stdin(Stdio::null());
        let output = install.output().unwrap();
        assert!(output.status.success(), "{install:?}\n{}", String::from_utf8_lossy(&output.stderr));
        fs::write(installed, &lock).unwrap();
    }
    Some(folder)
}
