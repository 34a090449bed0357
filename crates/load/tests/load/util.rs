//! Runs the load generator, and the servers it is run against.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Runs the generator to its end, with `input` for stdin.
pub fn load(arguments: &str, input: &str) -> Output {
    let mut child = command(arguments).stdin(Stdio::piped()).spawn().expect("the generator starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    // A command that reads no orders may have ended already.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("the generator ends")
}

/// Runs the generator until what it has counted is enough. Returns that, and how long it took at most.
#[track_caller]
pub fn load_until(arguments: &str, is_enough: impl Fn(&Value) -> bool) -> (Value, Duration) {
    let start = Instant::now();
    let mut child = command(arguments).stdin(Stdio::piped()).spawn().expect("the generator starts");
    let mut orders = child.stdin.take().expect("stdin is piped");
    let mut answers = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
    let counts = loop {
        orders.write_all(b"counts\n").expect("it takes orders");
        let answer = answers.next().expect("it answers").expect("stdout is text");
        let counts = serde_json::from_str(&answer).expect("a line is JSON");
        if is_enough(&counts) {
            break counts;
        }
    };
    let took = start.elapsed();
    drop(orders);
    let _ = answers.by_ref().count();
    assert!(child.wait().expect("the generator ends").success(), "{arguments}");
    (counts, took)
}

/// The lines a run printed, each of which is a JSON object.
pub fn lines(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).expect("stdout is text");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

/// A run that must succeed.
#[track_caller]
pub fn clean(arguments: &str, input: &str) -> Vec<Value> {
    let output = load(arguments, input);
    assert!(output.status.success(), "{arguments}: {output:?}");
    lines(&output)
}

fn command(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millrace-load"));
    command.args(arguments.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The floor server, killed when it is dropped.
pub struct Floor {
    child: Child,
    /// Kept open, for a server that cannot print may fail.
    _stdout: BufReader<ChildStdout>,
    /// Where it listens.
    pub address: String,
}

impl Floor {
    /// Starts one and waits until it listens.
    pub fn start() -> Self {
        let mut child = command("floor").spawn().expect("the floor server starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("the server tells its address");
        let address = line.trim().strip_prefix("listening ").expect("the agreed line").to_owned();
        Self { child, _stdout: stdout, address }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        // Both fail only if it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server that answers each connection by `serve`; it lives as long as the test.
pub fn serve(serve: fn(TcpStream)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound address").to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Echoes what `change` makes of each read, until the peer ends or `change` has nothing left.
pub fn echo(mut stream: impl Read + Write, mut change: impl FnMut(&mut Vec<u8>)) {
    let mut buffer = vec![0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        let mut reply = buffer[..count].to_vec();
        change(&mut reply);
        if reply.is_empty() || stream.write_all(&reply).is_err() {
            return;
        }
    }
}
