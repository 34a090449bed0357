//! The modules of the crate depend on each other in one direction only, and no file is long.
//!
//! A module here is a file or folder directly under `src/`. Inside one, files may use each other as they
//! like.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Lines that a file may have.
const LONGEST: usize = 400;

/// Which modules each module names.
type Graph = BTreeMap<String, BTreeSet<String>>;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// All Rust files under a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// A file without its comments, which may name any module.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

/// The names that follow each `crate::`: one, or a list in braces.
fn named_after_crate(code: &str) -> BTreeSet<String> {
    let is_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(is_name) {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        let first_of =
            |text: &str| text.trim().split(|letter| !is_name(letter)).next().map(String::from);
        match rest.strip_prefix('{') {
            Some(list) => {
                let mut depth = 1;
                let mut item = String::new();
                for letter in list.chars() {
                    match letter {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        _ => {}
                    }
                    if depth == 0 || depth == 1 && letter == ',' {
                        names.extend(first_of(&item));
                        item.clear();
                    } else {
                        item.push(letter);
                    }
                    if depth == 0 {
                        break;
                    }
                }
            }
            None => names.extend(first_of(rest)),
        }
    }
    names
}

/// The names of what `super` paths reach outside of the file's own module. A file at depth `d` below its
/// module leaves that module after more than `d` steps.
fn named_after_super(code: &str, depth: usize) -> BTreeSet<String> {
    let is_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut names = BTreeSet::new();
    let path = "super::".repeat(depth + 1);
    for (at, _) in code.match_indices(&path) {
        let rest = &code[at + path.len()..];
        // The path inside a longer one is no path of its own.
        if rest.starts_with("super::") || code[..at].ends_with(':') {
            continue;
        }
        names.extend(rest.split(|letter| !is_name(letter)).next().map(String::from));
    }
    names
}

/// Ways to name another module that the graph does not see: renamed paths, globs, macros, re-exports of
/// the crate's root. Nobody needs them here.
fn hidden_names(code: &str, depth: usize) -> Vec<String> {
    let code = code.split("mod tests").next().unwrap_or("");
    let outside = "super::".repeat(depth + 1);
    let mut forms: Vec<String> =
        ["crate as ", "super as ", "mio as ", "self::super", "include!", "#[macro_use]"]
            .map(String::from)
            .to_vec();
    forms.extend(["{", "*", "self"].map(|next| format!("{outside}{next}")));
    forms.push("crate::*".to_owned());
    forms.extend(('A'..='Z').map(|letter| format!("crate::{letter}")));
    forms
        .retain(|form| code.match_indices(form.as_str()).any(|(at, _)| !code[..at].ends_with(':')));
    forms
}

/// How far a file is below its module: 0 for the module's own file.
fn depth(parts: &[String]) -> usize {
    parts.len() - 1 - usize::from(parts.last().unwrap() == "mod")
}

/// A file's path below `src`, in parts and without its extension.
fn parts(source: &Path, path: &Path) -> Vec<String> {
    let inside = path.strip_prefix(source).unwrap().with_extension("");
    inside.iter().map(|part| part.to_str().unwrap().to_owned()).collect()
}

fn graph(source: &Path) -> Graph {
    let mut graph = Graph::new();
    let mut used: Vec<(String, BTreeSet<String>)> = Vec::new();
    for path in files(source) {
        let parts = parts(source, &path);
        if parts == ["lib"] {
            continue;
        }
        let inner = depth(&parts);
        let code = code(&path);
        let mut names = named_after_crate(&code);
        names.extend(named_after_super(&code, inner));
        graph.entry(parts[0].clone()).or_default();
        used.push((parts[0].clone(), names));
    }
    let modules: BTreeSet<String> = graph.keys().cloned().collect();
    for (module, names) in used {
        let others = names.into_iter().filter(|name| *name != module && modules.contains(name));
        graph.get_mut(&module).unwrap().extend(others);
    }
    graph
}

/// Modules that depend on each other in a circle, if there are any.
fn circle(graph: &Graph) -> Option<Vec<String>> {
    fn visit(
        graph: &Graph,
        module: &str,
        way: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> bool {
        if let Some(start) = way.iter().position(|each| each == module) {
            way.drain(..start);
            way.push(module.to_owned());
            return true;
        }
        if done.contains(module) {
            return false;
        }
        way.push(module.to_owned());
        for next in &graph[module] {
            if visit(graph, next, way, done) {
                return true;
            }
        }
        way.pop();
        done.insert(module.to_owned());
        false
    }
    let (mut way, mut done) = (Vec::new(), BTreeSet::new());
    graph.keys().any(|module| visit(graph, module, &mut way, &mut done)).then_some(way)
}

#[test]
fn no_module_depends_on_one_that_depends_on_it() {
    let graph = graph(&root("src"));
    // If the paths were not found, there would be no circle either.
    for (module, other) in [("event_loop", "connection"), ("connection", "transport")] {
        assert!(graph[module].contains(other), "{module} does use {other}: {graph:#?}");
    }
    if let Some(circle) = circle(&graph) {
        panic!("modules in a circle: {}", circle.join(" -> "));
    }
}

#[test]
fn a_circle_of_two_modules_is_found() {
    for fixture in ["by_crate", "by_super", "in_a_list"] {
        let found = circle(&graph(&root("tests/fixtures/circle").join(fixture)));
        assert_eq!(found.unwrap(), ["left", "right", "left"], "{fixture}");
    }
}

#[test]
fn no_file_names_a_module_in_a_way_that_the_graph_does_not_see() {
    let source = root("src");
    for path in files(&source) {
        let parts = parts(&source, &path);
        if parts == ["lib"] {
            continue;
        }
        let hidden = hidden_names(&code(&path), depth(&parts));
        assert!(hidden.is_empty(), "{}: {hidden:?}", path.display());
    }
}

#[test]
fn hidden_names_are_found() {
    for (code, depth) in [
        ("use crate as root;", 0),
        ("use super as up;", 1),
        ("use super::{left::f};", 0),
        ("use super::*;", 0),
        ("use super::super::{left};", 1),
        ("use self::super::left;", 0),
        ("use crate::Group;", 2),
        ("use crate::*;", 1),
        ("use mio as m;", 0),
        ("include!(\"../left.rs\");", 0),
    ] {
        assert!(!hidden_names(code, depth).is_empty(), "{code}");
    }
    for (code, depth) in [
        ("use super::{inner};", 1),
        ("use crate::left::{f, g};", 0),
        ("mod tests { use super::*; }", 0),
    ] {
        assert_eq!(hidden_names(code, depth), Vec::<String>::new(), "{code}");
    }
}

#[test]
fn a_name_in_a_comment_and_a_sibling_file_are_no_dependency() {
    let graph = graph(&root("tests/fixtures/no_circle"));
    assert_eq!(circle(&graph), None, "{graph:?}");
    assert_eq!(graph["left"], BTreeSet::from(["right".to_owned()]));
}

#[test]
fn no_file_is_long() {
    let mut long = Vec::new();
    for folder in ["src", "tests"] {
        for path in files(&root(folder)) {
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            if lines > LONGEST {
                long.push(format!("{}: {lines} lines", path.display()));
            }
        }
    }
    assert!(long.is_empty(), "longer than {LONGEST} lines: {long:#?}");
}

#[test]
fn only_one_module_knows_mios_polls_tokens_and_events() {
    for path in files(&root("src")) {
        if path.starts_with(root("src/poll")) {
            continue;
        }
        let code = code(&path);
        for (at, _) in code.match_indices("mio::") {
            let rest = &code[at + "mio::".len()..];
            let allowed = rest.starts_with("net::");
            assert!(allowed, "{}: mio::{:.20}", path.display(), rest);
        }
    }
}
