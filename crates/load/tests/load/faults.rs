//! Servers that do wrong, and command lines that are wrong, do not pass.

use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

use crate::util::{self, lines, load};

/// Runs the echo command against `address`, with the engine that the kernel has and with that which every
/// kernel has, and returns how many errors each found at least.
#[track_caller]
fn errors_of(address: &str, options: &str) -> u64 {
    let polled = errors_once(address, &format!("{options} --engine poll"));
    polled.min(errors_once(address, options))
}

#[track_caller]
fn errors_once(address: &str, options: &str) -> u64 {
    let arguments = format!("echo --address {address} --connections 4 --seconds 0.2 {options}");
    let output = load(&arguments, "");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(!output.stderr.is_empty(), "the errors are told");
    lines(&output)[0]["errors"].as_u64().expect("a count")
}

#[test]
fn a_changed_byte_is_an_error() {
    let address = util::serve(|stream| {
        let mut left = 5000;
        util::echo(stream, |reply| {
            if left <= reply.len() {
                reply[0] ^= 1;
            }
            left = left.saturating_sub(reply.len());
        });
    });
    assert!(errors_of(&address, "") >= 4);
    assert!(errors_of(&address, "--framing length --depth 16") >= 4);
    assert!(errors_of(&address, "--rate 10000 --depth 16") > 0);
}

#[test]
fn a_lost_byte_is_an_error() {
    let address = util::serve(|stream| {
        util::echo(stream, |reply| {
            reply.remove(0);
        });
    });
    assert!(errors_of(&address, "--depth 4 --size 1000") >= 4);
}

#[test]
fn a_byte_too_many_is_an_error() {
    let address = util::serve(|stream| util::echo(stream, |reply| reply.push(0)));
    assert!(errors_of(&address, "--check false") >= 4);
}

#[test]
fn a_closed_connection_is_an_error() {
    let address = util::serve(|stream| {
        let mut replies = 0;
        util::echo(stream, |reply| {
            replies += 1;
            if replies > 3 {
                reply.clear();
            }
        });
    });
    assert!(errors_of(&address, "") >= 4);
    assert!(errors_of(&address, "--rate 10000") > 0);
}

#[test]
fn a_refused_connection_is_an_error() {
    // Bound, so that nobody else gets the port, but not listening.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a free port");
    let address = socket.local_addr().expect("a bound address").as_socket().expect("IPv4");
    assert!(errors_of(&address.to_string(), "") >= 4);
}

#[test]
fn a_wrong_command_line_is_explained() {
    for (arguments, told) in [
        ("", "a command is missing"),
        ("sing", "no command is called 'sing'"),
        ("echo", "--address is missing"),
        ("echo --address somewhere", "neither ip:port nor unix:/path"),
        ("echo --address 127.0.0.1:1 --size 0", "--size '0'"),
        ("echo --address 127.0.0.1:1 --framing lines", "neither raw nor length"),
        ("echo --address 127.0.0.1:1 --engine kqueue", "neither io_uring nor poll"),
        ("echo --address 127.0.0.1:1 --engine io_uring --rate 5", "for a closed loop"),
        ("echo --address 127.0.0.1:1 --pid 0", "no such process"),
        ("echo --address 127.0.0.1:1 --loops 4", "'--loops' is not expected here"),
        ("echo --address 127.0.0.1:1 --spread 255", "--spread takes at most 254"),
        ("attack --address 127.0.0.1:1 --kind worms", "neither slow-loris, never-read nor"),
        ("attack --address 192.0.2.1:1 --kind slow-loris", "127.0.0.0/8 only"),
        ("attack --address unix:/tmp/none --kind slow-loris", "for TCP"),
        ("attack --address 127.0.0.1:1 --kind slow-loris --spread 255", "--spread takes at most"),
        ("attack --address 127.0.0.1:1 --kind never-read --reply 1048577", "--reply is at most"),
        ("attack --address 127.0.0.1:1 --kind slow-loris --rate 0", "--rate '0'"),
        ("churn --address unix:/tmp/none --depth 1", "'--depth' is not expected here"),
    ] {
        let output = load(arguments, "");
        assert_eq!(output.status.code(), Some(2), "{arguments}: {output:?}");
        assert!(output.stdout.is_empty(), "{arguments}: {output:?}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(told) && stderr.contains("usage:"), "{arguments}: {stderr}");
    }
}

#[test]
fn an_unknown_order_ends_a_command() {
    for command in ["idle", "attack --kind connect-reset"] {
        let output = load(&format!("{command} --address 127.0.0.1:1"), "dance\n");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains("'dance' is no order"), "{output:?}");
    }
}
