//! Answers the reports' queries with DuckDB, over rows in a folder.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Mutex,
};

use app::ports::{ArchiveFault, AskArchive, Rows};
use domain::archive::ArchiveTable;
use serde_json::{Value, json};
use tests::fresh;

use crate::{repository, world::Row};

/// Runs DuckDB in a process of its own. The emulator's environment has the package.
pub(crate) struct Engine(Mutex<(Child, ChildStdin, BufReader<ChildStdout>)>);

impl Engine {
    pub(crate) fn start() -> Self {
        let python = repository().join(".venv/local/bin/python");
        let mut child = Command::new(&python)
            .arg(repository().join("tests/tests/reports/engine.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|fault| panic!("{}: {fault}; run `make up`, which installs it", python.display()));
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self(Mutex::new((child, input, output)))
    }

    fn ask(&self, folder: &Path, sql: &str) -> Result<Rows, ArchiveFault> {
        let mut engine = self.0.lock().unwrap();
        let question = json!({"folder": folder, "sql": sql});
        writeln!(engine.1, "{question}").expect("DuckDB runs; `make up` installs what infra/requirements.txt names");
        let mut line = String::new();
        engine.2.read_line(&mut line).unwrap();
        let mut answer: Value = serde_json::from_str(&line).unwrap_or_else(|fault| panic!("{fault}: {line}"));
        match answer["fault"].as_str() {
            Some(fault) => Err(ArchiveFault::Failed(fault.to_owned())),
            None => Ok(serde_json::from_value(answer["rows"].take()).unwrap()),
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let engine = self.0.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        let _ = engine.0.kill();
        let _ = engine.0.wait();
    }
}

/// Holds rows in a folder, which is removed in the end.
pub(crate) struct Folder<'a> {
    engine: &'a Engine,
    pub(crate) path: PathBuf,
}

impl<'a> Folder<'a> {
    /// Writes the rows into a folder for each table and day.
    pub(crate) fn of(engine: &'a Engine, rows: &[Row]) -> Self {
        let path = std::env::temp_dir().join(fresh("reports"));
        for table in ArchiveTable::ALL {
            let of_table = || rows.iter().filter(|row| row.table == table);
            let days: std::collections::BTreeSet<&str> = of_table().map(|row| row.day.as_str()).collect();
            for day in days {
                let folder = path.join(table.as_str()).join(format!("day={day}"));
                fs::create_dir_all(&folder).unwrap();
                let lines: Vec<String> =
                    of_table().filter(|row| row.day == day).map(|row| row.json.to_string()).collect();
                fs::write(folder.join("rows.json"), lines.join("\n")).unwrap();
            }
        }
        Self { engine, path }
    }
}

impl Drop for Folder<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

impl AskArchive for Folder<'_> {
    async fn ask(&self, sql: &str) -> Result<Rows, ArchiveFault> {
        self.engine.ask(&self.path, sql)
    }
}
