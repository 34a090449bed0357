#!/usr/bin/env bash
# Type-checks every crate and its tests for another platform, with warnings as errors. No linker is needed.
# Uses that platform's rust-std if it is installed (rustup target add), otherwise a std built from its
# source: rust-src of rustup, or rust-web-src of Debian (with rustc-web and cargo-web).
#
#   scripts/check-target.sh aarch64-apple-darwin
#
# Exits with 2 if there is neither.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$1
library=lib/rustlib/src/rust/library/Cargo.lock

export RUSTFLAGS="-D warnings" CARGO_TARGET_DIR=target/check
check() {
  "$@" --target "$target" --workspace --all-features
  # In a test build of the binding, everything that napi exports is dead code.
  "$@" --target "$target" --workspace --all-features --exclude millrace-binding --tests
}

if rustup target list --installed 2>/dev/null | grep -qx "$target"; then
  check cargo check
  exit
fi
# Building std is unstable; this variable allows it with a stable compiler.
export RUSTC_BOOTSTRAP=1
build_std=-Zbuild-std=std,panic_unwind,test
if [ -f "$(rustc --print sysroot)/$library" ]; then
  check cargo check "$build_std"
elif [ -f "/usr/$library" ] && [ -x /usr/bin/cargo ]; then
  RUSTC=/usr/bin/rustc check /usr/bin/cargo check "$build_std"
else
  exit 2
fi
