//! `docs/GUARANTEES.md`: the tests that it names are there.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::fs;
use std::path::Path;

/// The Rust sources below a directory, one after the other.
fn sources(directory: &Path, into: &mut String) {
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            if !path.ends_with("target") {
                sources(&path, into);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_test_that_the_guarantees_name_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut code = String::new();
    sources(&root, &mut code);
    let text = fs::read_to_string(root.join("docs/GUARANTEES.md")).unwrap();
    let quoted = text.split('`').skip(1).step_by(2);
    let is_test = |name: &&str| {
        name.matches('_').count() >= 3
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let named: Vec<&str> = quoted.filter(is_test).collect();
    assert!(named.len() > 30, "{}", named.len());
    for name in named {
        assert!(code.contains(&format!("fn {name}(")), "no test `{name}`");
    }
}
