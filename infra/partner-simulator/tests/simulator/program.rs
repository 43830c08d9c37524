//! Runs the simulator and exchanges bytes with it.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    time::Duration,
};

use partner_simulator::received::{Request, Requests};

/// Bounds every wait of a test.
const PATIENCE: Duration = Duration::from_secs(10);

/// Holds the running program, which is killed when this is dropped.
pub(crate) struct Program {
    child: Child,
    lines: BufReader<ChildStdout>,
    pub(crate) address: String,
}

/// Holds the parts of an answer that tests look at.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Program {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    pub(crate) fn with(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_partner-simulator"));
        command.args(arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut url = String::new();
        lines.read_line(&mut url).unwrap();
        let address = url.trim().strip_prefix("http://").unwrap().to_owned();
        Self { child, lines, address }
    }

    /// Sets the script of `acme`. Panics with the fault if the script is refused.
    pub(crate) fn set_script(&self, script: &str) {
        let reply = self.put("acme", script);
        assert_eq!(reply.status, 204, "{}", reply.text());
    }

    pub(crate) fn put(&self, name: &str, script: &str) -> Reply {
        let length = script.len();
        self.ask(&format!("PUT /_control/{name} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{script}"))
    }

    pub(crate) fn requests(&self, name: &str) -> Requests {
        let reply = self.ask(&format!("GET /_control/{name}/requests HTTP/1.1\r\nhost: x\r\n\r\n"));
        assert_eq!(reply.status, 200);
        serde_json::from_slice(&reply.body).unwrap()
    }

    pub(crate) fn last_request(&self) -> Request {
        self.requests("acme").requests.pop().expect("a request is remembered")
    }

    /// Returns the whole answer to a GET of this path.
    pub(crate) fn get(&self, target: &str) -> Reply {
        self.ask(&format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\n"))
    }

    /// Sends a request on a new connection and returns the answer, which must be whole.
    pub(crate) fn ask(&self, request: &str) -> Reply {
        let mut connection = self.connect();
        connection.write_all(request.as_bytes()).unwrap();
        Reply::read(&mut BufReader::new(connection))
    }

    /// Returns a connection on which a GET of `/acme` was sent and nothing was read.
    pub(crate) fn call(&self) -> TcpStream {
        let mut connection = self.connect();
        connection.write_all(b"GET /acme HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        connection
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let connection = TcpStream::connect(&self.address).unwrap();
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        connection
    }

    /// Waits until the name `acme` has received this number of requests.
    pub(crate) fn until_received(&self, count: u64) {
        let begun = std::time::Instant::now();
        while self.requests("acme").received < count {
            assert!(begun.elapsed() < PATIENCE, "{count} requests came");
        }
    }

    /// Returns the next line of the program's output.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line
    }

    /// Sends the program a signal and waits until it has ended.
    pub(crate) fn end(&mut self, signal: &str) -> ExitStatus {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        self.child.wait().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Reply {
    pub(crate) fn read(from: &mut BufReader<TcpStream>) -> Self {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(from.read_line(&mut head).unwrap() > 0, "the answer is whole: {head}");
        }
        let status = head.strip_prefix("HTTP/1.1 ").expect("HTTP").get(..3).unwrap().parse().unwrap();
        let mut reply = Self { status, head, body: Vec::new() };
        if reply.header("transfer-encoding") == Some("chunked") {
            reply.read_chunks(from);
        } else {
            reply.body = vec![0; reply.header("content-length").map_or(0, |length| length.parse().unwrap())];
            from.read_exact(&mut reply.body).unwrap();
        }
        reply
    }

    fn read_chunks(&mut self, from: &mut BufReader<TcpStream>) {
        loop {
            let mut line = String::new();
            from.read_line(&mut line).unwrap();
            let length = usize::from_str_radix(line.trim(), 16).expect("a chunk's length");
            let mut chunk = vec![0; length + 2];
            from.read_exact(&mut chunk).unwrap();
            if length == 0 {
                return;
            }
            self.body.extend_from_slice(&chunk[..length]);
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let values = self.head.lines().filter_map(|line| line.split_once(": "));
        values.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    pub(crate) fn header_lines(&self) -> usize {
        self.head.lines().filter(|line| line.contains(": ")).count()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}
