//! Every command against the floor server: the answers it prints and its exit code.

use std::time::Duration;

use crate::util::{Floor, clean, load_until};
use serde_json::Value;

const BRIEF: &str = "--seconds 0.2 --warmup 0.05";

/// Runs the echo command for a moment against a floor server and returns its report.
#[track_caller]
fn echo(options: &str) -> Value {
    echo_for(4, &format!("{BRIEF} {options}"))
}

/// Runs the echo command against a floor server, with the engine that the kernel has and with that which
/// every kernel has, and returns the report of the former, checked for sense.
#[track_caller]
fn echo_for(connections: usize, options: &str) -> Value {
    let polled = echo_once(connections, &format!("{options} --engine poll"));
    assert_eq!(polled["engine"], "poll", "{polled}");
    echo_once(connections, options)
}

#[track_caller]
fn echo_once(connections: usize, options: &str) -> Value {
    let floor = Floor::start();
    let arguments =
        format!("echo --address {} --connections {connections} {options}", floor.address);
    let mut lines = clean(&arguments, "");
    assert_eq!(lines.len(), 1, "{lines:?}");
    let report = lines.remove(0);
    assert_eq!(report["errors"], 0, "{report}");
    assert_eq!(report["connections"], connections, "{report}");
    for name in ["messages", "seconds", "throughput", "p50_us", "p99_us", "p999_us", "max_us"] {
        assert!(report[name].as_f64().is_some_and(|number| number > 0.0), "{name} in {report}");
    }
    report
}

#[test]
fn raw_messages_come_back() {
    let report = echo("--framing raw --size 64 --depth 1");
    assert_eq!((&report["size"], &report["depth"]), (&64.into(), &1.into()));
    assert_eq!(report["framing"], "raw");
    assert_eq!(report["cpu_us_per_message"], Value::Null);
    assert_eq!(report["rss_kb"], Value::Null);
}

#[test]
fn length_framed_messages_come_back() {
    assert_eq!(echo("--framing length --size 100")["framing"], "length");
}

#[test]
fn pipelined_messages_come_back() {
    assert_eq!(echo("--depth 16")["depth"], 16);
    assert_eq!(echo("--depth 16 --framing length")["depth"], 16);
}

#[test]
fn single_bytes_come_back() {
    echo("--size 1 --depth 3");
}

#[test]
fn messages_larger_than_any_socket_buffer_come_back() {
    echo_for(4, "--seconds 1 --size 8000001 --framing length");
}

#[test]
fn many_messages_of_many_connections_come_back_at_once() {
    echo_for(300, "--seconds 0.5 --size 20000 --depth 3");
}

#[test]
fn unchecked_replies_are_counted() {
    echo("--check false");
}

#[test]
fn a_fixed_rate_is_kept_to() {
    let report = echo("--rate 2000");
    assert_eq!(report["rate"], 2000);
    let messages = report["messages"].as_u64().expect("a count");
    assert!(messages <= 501, "no more than the schedule has in 0.25 s: {report}");
}

#[test]
fn a_rate_beyond_the_server_leaves_a_backlog() {
    let report = echo("--rate 50000000 --framing length");
    assert!(report["backlog"].as_u64().is_some_and(|backlog| backlog > 0), "{report}");
}

#[cfg(target_os = "linux")]
#[test]
fn several_source_addresses_serve() {
    echo("--spread 3");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "there is no /proc")]
fn the_servers_cost_is_read_from_its_process() {
    let floor = Floor::start();
    let (address, pid) = (&floor.address, floor.pid());
    let report =
        &clean(&format!("echo --address {address} --connections 4 {BRIEF} --pid {pid}"), "")[0];
    assert!(report["cpu_us_per_message"].as_f64().is_some_and(|cost| cost > 0.0), "{report}");
    assert!(report["rss_kb"].as_u64().is_some_and(|size| size > 0), "{report}");
}

#[test]
fn idle_opens_in_steps_and_obeys_its_orders() {
    let floor = Floor::start();
    let arguments = format!("idle --address {} --connections 5 --step 2", floor.address);
    let lines = clean(&arguments, "open 300\nclose 4\nclose all\nopen 1\nquit\nopen 7\n");
    let open: Vec<_> = lines.iter().map(|line| line["open"].as_u64().expect("a count")).collect();
    assert_eq!(open, [2, 4, 5, 305, 301, 0, 1]);
    assert!(lines.iter().all(|line| line["errors"] == 0), "{lines:?}");
}

#[test]
fn churn_reports_each_round() {
    let floor = Floor::start();
    let lines = clean(
        &format!("churn --address {} --rounds 2 --connections 600 --framing length", floor.address),
        "",
    );
    let rounds: Vec<_> =
        lines.iter().map(|line| line["round"].as_u64().expect("a count")).collect();
    assert_eq!(rounds, [1, 2]);
    for line in lines {
        assert_eq!((&line["connections"], &line["errors"]), (&600.into(), &0.into()), "{line}");
        assert!(line["connects_per_second"].as_f64().is_some_and(|rate| rate > 0.0), "{line}");
    }
}

#[test]
fn the_quiet_connection_is_answered_beside_the_flood() {
    let floor = Floor::start();
    let address = &floor.address;
    let report =
        &clean(&format!("flood-and-quiet --address {address} --framing length --seconds 0.2"), "")
            [0];
    assert_eq!(report["errors"], 0, "{report}");
    assert!(report["quiet"]["count"].as_u64().is_some_and(|count| count > 0), "{report}");
    for (part, name) in [("quiet", "p50_us"), ("quiet", "p99_us"), ("quiet", "max_us")] {
        assert!(report[part][name].as_f64().is_some_and(|time| time > 0.0), "{report}");
    }
    assert!(report["flood"]["messages"].as_u64().is_some_and(|count| count > 0), "{report}");
    assert!(report["flood"]["throughput"].as_f64().is_some_and(|rate| rate > 0.0), "{report}");
}

/// Lets five attackers do their worst against `address` until its counts are that high.
#[track_caller]
fn attack(kind: &str, address: &str, enough: &[(&str, u64)]) -> (Value, Duration) {
    let arguments =
        format!("attack --kind {kind} --address {address} --connections 5 --reply 100000");
    load_until(&arguments, |counts| {
        enough.iter().all(|&(name, least)| counts[name].as_u64().expect("a count") >= least)
    })
}

#[test]
fn a_slow_loris_sends_a_byte_a_second() {
    let (report, took) = attack("slow-loris", &Floor::start().address, &[("bytes", 10)]);
    assert_eq!((&report["connected"], &report["open"]), (&5.into(), &5.into()), "{report}");
    assert_eq!(report["cut"], 0, "{report}");
    assert!(took >= Duration::from_secs(1), "{took:?}");
}

#[test]
fn one_that_never_reads_fills_what_the_server_takes() {
    let address = crate::util::serve(|stream| crate::util::echo(stream, |_| {}));
    let (report, _) = attack("never-read", &address, &[("bytes", 20_000), ("open", 5)]);
    assert_eq!((&report["connected"], &report["open"]), (&5.into(), &5.into()), "{report}");
}

#[test]
fn attackers_that_are_cut_come_back() {
    let (report, _) = attack("slow-loris", &crate::util::serve(drop), &[("cut", 6)]);
    assert!(report["connected"].as_u64() > Some(5), "{report}");
}

#[test]
fn connections_are_reset_at_the_rate() {
    let floor = Floor::start();
    let (report, took) = attack("connect-reset --rate 500", &floor.address, &[("reset", 100)]);
    let reset = report["reset"].as_u64().expect("a count");
    assert!(reset as f64 <= 500.0 * took.as_secs_f64() + 1.0, "{report} in {took:?}");
    assert_eq!(report["failed"], 0, "{report}");
    echo_beside(&floor);
}

/// The server is still there.
#[track_caller]
fn echo_beside(floor: &Floor) {
    let report =
        &clean(&format!("echo --address {} --connections 4 {BRIEF}", floor.address), "")[0];
    assert_eq!(report["errors"], 0, "{report}");
}

#[cfg(unix)]
#[test]
fn a_unix_socket_is_an_address() {
    use std::os::unix::net::UnixListener;
    use std::{env, fs, process, thread};

    let path = env::temp_dir().join(format!("millrace-load-{}.sock", process::id()));
    let listener = UnixListener::bind(&path).expect("a path of our own");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || crate::util::echo(stream, |_| {}));
        }
    });
    let address = format!("unix:{}", path.display());
    let small = clean(&format!("echo --address {address} --connections 4 {BRIEF} --depth 4"), "");
    let large =
        clean(&format!("echo --address {address} --connections 4 {BRIEF} --size 1000000"), "");
    let idle = clean(&format!("idle --address {address} --connections 200"), "close all\n");
    fs::remove_file(&path).expect("the socket is still there");
    assert_eq!((&small[0]["errors"], &large[0]["errors"]), (&0.into(), &0.into()));
    assert_eq!(idle[1]["open"], 0);
}
