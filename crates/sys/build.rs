//! Names the lists of systems that are asked for in several places.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    cfg_aliases::cfg_aliases! {
        linux_like: { any(target_os = "linux", target_os = "android") },
        // Those whose options and structures are known to be there.
        known_unix: {
            any(linux_like, target_os = "macos", target_os = "ios", target_os = "freebsd")
        },
    }
}
