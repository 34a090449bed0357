//! Names the lists of systems that several files ask for.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    cfg_aliases::cfg_aliases! {
        linux_like: { any(target_os = "linux", target_os = "android") },
        // Systems whose options and structures are known.
        known_unix: {
            any(linux_like, target_os = "macos", target_os = "ios", target_os = "freebsd")
        },
        // Systems that say where a datagram was sent to, and take where one leaves from (`IP_PKTINFO`).
        tells_locals: { any(target_os = "linux", target_os = "macos", target_os = "ios") },
    }
}
