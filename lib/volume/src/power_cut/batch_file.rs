//! The files of the tests: every line is unlike every other, and says what is to become of it.

use std::fmt::Write as _;

/// A file as it enters the chain.
#[derive(Debug, Clone)]
pub(super) struct BatchFile {
    pub(super) name: String,
    /// The stage before which it enters the chain.
    pub(super) stage: usize,
    is_draft: bool,
    lines: Vec<String>,
}

/// The formats on the way, by their extensions.
pub(super) const FORMATS: [&str; 3] = ["txt", "csv", "json"];

impl BatchFile {
    /// A letter of `fates` a line: `.` goes all the way, `0`, `1` and `2` are refused by the stage of that number. Where there
    /// is a `z` or an `x` the file enters the chain compressed; with an `x` it is refused as a whole there.
    pub(super) fn new(name: &str, stage: usize, fates: &str) -> Self {
        let lines = fates.chars().enumerate().map(|(line, fate)| format!("{name} {line} {fate}"));
        BatchFile { name: name.to_owned(), stage, is_draft: false, lines: lines.collect() }
    }

    /// One that we write ourselves. `d` is a line that is refused on the way to the file.
    pub(super) fn draft(name: &str, fates: &str) -> Self {
        BatchFile { is_draft: true, ..BatchFile::new(name, 0, fates) }
    }

    /// What its name ends in where it enters the chain.
    pub(super) fn suffix(&self) -> &'static str {
        let is_compressed = self.lines.iter().any(|line| line.ends_with(" z") || is_broken(line));
        if is_compressed { ".gz" } else { "" }
    }

    /// What it is in the format that the stage of this number takes.
    pub(super) fn text(&self, stage: usize) -> String {
        self.reaching(stage).fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "{line}");
            text
        })
    }

    /// What is refused of it at each place of its way, and why, as it stands in `rejected/`.
    pub(super) fn rejected(&self) -> Vec<(String, String)> {
        if self.is_broken() {
            return vec![(self.text(self.stage), format!("{BROKEN}\n"))];
        }
        let by_stage = |stage| rejected(self.reaching(stage), |line| is_refused(line, stage));
        let by_draft = rejected(self.lines.iter().cloned(), |line| self.is_refused_by_draft(line));
        (0..FORMATS.len()).map(by_stage).chain([by_draft]).filter(|(lines, _)| !lines.is_empty()).collect()
    }

    /// The lines that a draft is made of, and whether each is refused.
    pub(super) fn drafted(&self) -> impl Iterator<Item = (&str, bool)> {
        self.lines.iter().map(|line| (line.as_str(), self.is_refused_by_draft(line)))
    }

    fn is_refused_by_draft(&self, line: &str) -> bool {
        self.is_draft && line.ends_with(" d")
    }

    /// The documents that the last stage sends.
    pub(super) fn documents(&self) -> impl Iterator<Item = String> {
        self.reaching(FORMATS.len() - 1).filter(|_| !self.is_broken())
    }

    /// What is kept of it in the end, where that is asked for: what each stage took.
    pub(super) fn archived(&self) -> impl Iterator<Item = String> {
        let stages = (self.stage..FORMATS.len()).filter(|_| !self.is_broken());
        stages.map(|stage| self.text(stage)).filter(|text| !text.is_empty())
    }

    fn is_broken(&self) -> bool {
        self.lines.iter().any(|line| is_broken(line))
    }

    /// Whether it is another's file before the stage of this number.
    pub(super) fn may_be_written(&self, stage: usize) -> bool {
        !self.is_draft && self.stage == stage
    }

    fn reaching(&self, stage: usize) -> impl Iterator<Item = String> {
        let reaches = move |line: &&String| {
            let may_pass = self.stage == stage || !self.is_broken();
            may_pass && self.stage <= stage && (self.stage..stage).all(|earlier| !is_refused(line, earlier))
        };
        let lines = self.lines.iter().filter(|line| !self.is_refused_by_draft(line));
        lines.filter(reaches).map(move |line| format!("{} {line}", FORMATS[stage]))
    }
}

/// Those among lines that are refused, and the reasons.
fn rejected(lines: impl Iterator<Item = String>, is_refused: impl Fn(&str) -> bool) -> (String, String) {
    let (mut refused, mut reasons) = (String::new(), String::new());
    for (line, number) in lines.zip(1..).filter(|(line, _)| is_refused(line)) {
        let _ = writeln!(refused, "{line}");
        let _ = writeln!(reasons, "{number}: refused");
    }
    (refused, reasons)
}

/// Why a file is refused as a whole.
pub(super) const BROKEN: &str = "it is broken";

/// Whether the file of this line is.
pub(super) fn is_broken(line: &str) -> bool {
    line.ends_with(" x")
}

/// Whether the stage of this number refuses a line.
pub(super) fn is_refused(line: &str, stage: usize) -> bool {
    line.ends_with(&format!(" {stage}"))
}

/// What a stage makes of a line.
pub(super) fn converted(line: &str, stage: usize) -> String {
    line.replacen(FORMATS[stage], FORMATS[stage + 1], 1)
}
