#!/usr/bin/env bash
# Runs tests under a checker that sees what no test sees, if the toolchain has it:
#
#   scripts/sanitizers.sh miri     # Miri: undefined behaviour in crates/ring
#   scripts/sanitizers.sh thread   # ThreadSanitizer: data races in crates/ring and crates/reactor
#
# Miri is a component of a nightly of rustup, and needs its rust-src. ThreadSanitizer needs a std that is built with
# it: from rust-src of rustup, or from rust-web-src of Debian (with rustc-web and cargo-web; the sanitizer's runtime and
# a linker that takes it are then those of a toolchain of rustup, since Debian has none).
#
# Nothing begins later than after MILLRACE_MINUTES, and what does not is named. Exits with 2 if the checker is not here,
# or there was no time for anything.
set -euo pipefail
cd "$(dirname "$0")/.."

deadline=$((SECONDS + ${MILLRACE_MINUTES:-15} * 60))
# A program that hangs has failed.
hang=1200

skip() {
  echo "skipped: $*"
  exit 2
}

# Builds with that command, within the time, and runs the programs that come of it.
run() {
  local status=0 begun=0 log program
  log=$(mktemp)
  timeout $((deadline - SECONDS)) "$@" --no-run 2>&1 | tee "$log" || status=$?
  [ "$status" != 124 ] || skip "not built in time"
  [ "$status" = 0 ] || exit 1
  while read -r program; do
    if [ $SECONDS -ge $deadline ]; then
      echo "not run, for want of time: $program"
      continue
    fi
    begun=1
    echo "$program"
    timeout $hang "$program" || status=1
  done < <(sed -nE 's/^ *Executable .*\((.*)\)$/\1/p' "$log")
  rm -f "$log"
  [ $begun = 1 ] || skip "no time"
  exit $status
}

miri() {
  local name
  for name in $(rustup toolchain list 2>/dev/null | cut -d' ' -f1); do
    cargo "+$name" miri --version >/dev/null 2>&1 || continue
    # The tests read the twins of the records, and their rings are never freed.
    export MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-ignore-leaks" CARGO_TARGET_DIR=target/miri
    timeout $hang cargo "+$name" miri test -p millrace-ring --lib
    exit
  done
  skip "no Miri here"
}

thread() {
  local source=lib/rustlib/src/rust/library/Cargo.lock target name runtime
  target=$(rustc -vV 2>/dev/null | sed -n 's/^host: //p')
  # These are about one thread.
  export PROPTEST_CASES=4
  # Building std and sanitizers are unstable; this variable allows them with a stable compiler.
  export RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=target/thread RUSTFLAGS="-Zsanitizer=thread"
  local flags=(-Zbuild-std=std,panic_unwind,test --target "$target" -p millrace-ring -p millrace-reactor --lib --test suite)
  [ "$(uname)" = Linux ] || skip "no ThreadSanitizer here"
  for name in $(rustup toolchain list 2>/dev/null | cut -d' ' -f1); do
    if [ -f "$(rustc "+$name" --print sysroot)/$source" ]; then
      run cargo "+$name" test "${flags[@]}"
    fi
  done
  [ -f "/usr/$source" ] && [ -x /usr/bin/cargo ] || skip "no ThreadSanitizer here: no source of std"
  for name in $(rustup toolchain list 2>/dev/null | cut -d' ' -f1); do
    for runtime in "$(rustc "+$name" --print sysroot)/lib/rustlib/$target"/lib/librustc-*_rt.tsan.a; do
      [ -f "$runtime" ] || continue
      RUSTFLAGS+=" -Zexternal-clangrt -Clink-args=-Wl,--whole-archive,$runtime,--no-whole-archive,--export-dynamic"
      RUSTFLAGS+=" -Clink-args=-lm -Clink-args=-lpthread -Clink-args=-lc"
      RUSTFLAGS+=" -Clink-args=-B$(rustc "+$name" --print sysroot)/lib/rustlib/$target/bin/gcc-ld -Clink-args=-fuse-ld=lld"
      export RUSTC=/usr/bin/rustc
      run /usr/bin/cargo test "${flags[@]}"
    done
  done
  skip "no ThreadSanitizer here: no runtime of it"
}

case ${1:-} in
  miri | thread) "$1" ;;
  *) echo "usage: $0 miri|thread" >&2 && exit 1 ;;
esac
