//! The programs, in the order in which a record meets them.

use volume::Spec;

/// A program of the flow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// The extension of what it takes from the volume, and of what it puts there.
    pub(crate) input: Option<&'static str>,
    pub(crate) output: Option<&'static str>,
}

/// The whole flow.
pub(crate) const PROGRAMS: [Program; 5] = [
    Program { name: "getdata", input: None, output: Some("txt") },
    Program { name: "text-to-csv", input: Some("txt"), output: Some("csv") },
    Program { name: "csv-to-json", input: Some("csv"), output: Some("json") },
    Program { name: "json-to-api", input: Some("json"), output: None },
    Program { name: API, input: None, output: None },
];

/// What is sent to.
pub(crate) const API: &str = "api";

/// What sends.
pub(crate) const SENDER: &str = "json-to-api";

impl Program {
    /// The program as the volume sees it.
    pub(crate) fn spec(self, stem: &'static str) -> Spec {
        Spec { name: self.name, stem, input: self.input, output: self.output }
    }
}

/// The stage that takes files of such a name.
pub(crate) fn stage_of(file: &str, stem: &'static str) -> Option<Spec> {
    let (_, extension) = file.rsplit_once('.')?;
    let program = PROGRAMS.iter().find(|program| program.input == Some(extension))?;
    Some(program.spec(stem))
}
