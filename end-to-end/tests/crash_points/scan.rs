//! Reads a source file for crash points: pure, and only as clever as rustfmt's layout lets it be.

/// A function that is marked `#[track_caller]`: a call of it is a crash point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marked {
    /// Of its file.
    module: String,
    /// Of its `impl`, where it has one.
    of: Option<String>,
    name: String,
    is_method: bool,
}

impl Marked {
    /// A function by its path.
    pub(crate) fn function(module: &str, name: &str) -> Self {
        Marked { module: module.to_owned(), of: None, name: name.to_owned(), is_method: false }
    }

    fn is_called(&self, call: &Call<'_>, in_module: &str) -> bool {
        if self.is_method {
            return call.on.is_some() && call.path == self.name;
        }
        let mut path = call.path.rsplit("::");
        let (name, qualifier) = (path.next().unwrap_or_default(), path.next());
        let own = qualifier.is_none() && self.of.is_none() && self.module == in_module;
        call.on.is_none()
            && name == self.name
            && (own || qualifier == Some(self.of.as_deref().unwrap_or(&self.module)))
    }
}

/// A call that is a crash point.
#[derive(Debug)]
pub(crate) struct Place {
    /// File, line and column, as a point is listed.
    pub(crate) at: String,
    pub(crate) file: String,
    pub(crate) function: String,
    pub(crate) call: String,
}

/// The marked functions that a file defines.
pub(crate) fn marked(module: &str, text: &str) -> Vec<Marked> {
    let (mut of, mut is_marked, mut found) = (None, false, Vec::new());
    for line in code(text) {
        if let Some(header) = line.strip_prefix("impl ") {
            of = header.split_whitespace().next().map(str::to_owned);
        } else if line == "}" {
            of = None;
        }
        is_marked |= line.trim() == "#[track_caller]";
        if let Some(name) = defined(line)
            && std::mem::take(&mut is_marked)
        {
            let of = of.clone().filter(|_| line.starts_with(' '));
            let is_method = line.contains("self");
            found.push(Marked { module: module.to_owned(), of, name: name.to_owned(), is_method });
        }
    }
    found
}

/// The calls of marked functions in a file, but for those within other marked functions: these have no place of their
/// own.
pub(crate) fn places(file: &str, module: &str, text: &str, marked: &[Marked]) -> Vec<Place> {
    let (mut is_marked, mut found) = (false, Vec::new());
    // The functions that a line is within, each with its indentation and whether it is marked.
    let mut within: Vec<(usize, &str, bool)> = Vec::new();
    for (line, number) in code(text).zip(1..) {
        let indent = line.len() - line.trim_start().len();
        is_marked |= line.trim() == "#[track_caller]";
        if let Some(name) = defined(line) {
            within.push((indent, name, std::mem::take(&mut is_marked)));
        }
        let (function, silent) = within.last().map_or(("", false), |(_, name, marked)| (name, *marked));
        for call in calls(line).filter(|_| !silent) {
            if marked.iter().any(|marked| marked.is_called(&call, module)) {
                let at = format!("{file}:{number}:{}", call.column);
                let (file, function, call) = (file.to_owned(), function.to_owned(), call.path.to_owned());
                found.push(Place { at, file, function, call });
            }
        }
        if line.trim() == "}" || line.ends_with(" {}") {
            within.pop_if(|(of, ..)| *of == indent);
        }
    }
    found
}

/// A file's lines up to its tests; comments are empty ones.
fn code(text: &str) -> impl Iterator<Item = &str> {
    let end = text.find("\n#[cfg(test)]\nmod tests").unwrap_or(text.len());
    text[..end].lines().map(|line| if line.trim_start().starts_with("//") { "" } else { line })
}

/// The name of the function whose definition a line begins.
fn defined(line: &str) -> Option<&str> {
    let (before, rest) = line.split_once("fn ")?;
    let is_definition = before
        .split_whitespace()
        .all(|word| ["pub", "pub(crate)", "pub(super)", "async", "const", "unsafe"].contains(&word));
    rest.split(['(', '<']).next().filter(|_| is_definition)
}

struct Call<'a> {
    /// Counts from 1.
    column: usize,
    /// What stands before the dot of a method, as far as it is a name: else empty.
    on: Option<&'a str>,
    path: &'a str,
}

fn calls(line: &str) -> impl Iterator<Item = Call<'_>> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices('(').filter_map(move |(end, _)| {
        let before = &line[..end];
        let path = &before[before.trim_end_matches(|c| is_name(c) || c == ':').len()..];
        let rest = &before[..before.len() - path.len()];
        let on = rest.strip_suffix('.').map(|rest| &rest[rest.trim_end_matches(is_name).len()..]);
        let is_call = !path.is_empty() && !rest.ends_with("fn ");
        is_call.then_some(Call { column: rest.len() + 1, on, path })
    })
}

#[test]
fn only_calls_that_no_marked_function_makes_are_places() {
    let text = "impl New {\n    #[track_caller]\n    fn sync(&self) {\n        step(1);\n    }\n}\n\n\
                #[track_caller]\nfn step(n: u8) {\n}\n\nfn other() {\n    step(2);\n    new.sync().and(claim.leave());\n}\n";
    let marked = marked("fs", text);
    assert_eq!(marked.len(), 2);
    let places = places("fs.rs", "fs", text, &marked);
    let at: Vec<&str> = places.iter().map(|place| place.at.as_str()).collect();
    assert_eq!(at, ["fs.rs:13:5", "fs.rs:14:9"]);
    assert!(places.iter().all(|place| place.function == "other"));
}
