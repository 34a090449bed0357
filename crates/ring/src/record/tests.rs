//! The TypeScript twin of the record format, which `UPDATE_RECORDS=1 cargo test -p millrace-ring record` writes.

use super::{HEADER, SKIP, TABLE, size, word};
use std::fmt::Write as _;

fn typescript() -> String {
    let mut out = String::from(
        "/**\n * The record format that crosses between a loop and JavaScript.\n *\n * Generated from crates/ring/src/record.rs: `UPDATE_RECORDS=1 cargo test -p millrace-ring record`.\n */\n\n",
    );
    let _ = writeln!(out, "/** Bytes before a payload. */\nexport const HEADER = {HEADER}");
    let _ = writeln!(
        out,
        "/** The slot (as a signed integer) of the mark that sends the reader back to the start. */\nexport const SKIP = {}",
        SKIP as i32
    );
    for (module, docs, rows) in TABLE {
        let _ = writeln!(out, "\n// {module}:{}", docs.concat());
        for (name, value, docs) in *rows {
            let _ = writeln!(
                out,
                "/**{} */\nexport const {}_{name} = {value}",
                docs.concat(),
                module.to_uppercase()
            );
        }
    }
    out
}

#[test]
fn the_typescript_constants_are_those_of_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../lib/native/record.ts");
    if std::env::var_os("UPDATE_RECORDS").is_some() {
        std::fs::write(path, typescript()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), typescript());
}

#[test]
fn a_record_is_padded_to_eight_bytes() {
    assert_eq!(size(0), 16);
    assert_eq!(size(1), 24);
    assert_eq!(size(8), 24);
    assert_eq!(size(9), 32);
}

#[test]
fn a_word_past_the_end_of_a_payload_is_0() {
    let payload = [7u32.to_ne_bytes(), 9u32.to_ne_bytes()].concat();
    assert_eq!([0, 4, 5, 8, 12].map(|at| word(&payload, at)), [7, 9, 0, 0, 0]);
}
