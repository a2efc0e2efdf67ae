//! docs/PERFORMANCE.md: the figures, how they were got, and what is to be said about them.

use std::fmt::Write as _;

use crate::goals::{Goal, Verdict};
use crate::samples::Samples;

/// What a group of figures has to tell.
#[derive(Debug, Default)]
pub(crate) struct Section {
    pub(crate) title: &'static str,
    /// What is the same for all its rows.
    pub(crate) about: String,
    pub(crate) rows: Vec<Row>,
    /// Name and command line.
    pub(crate) commands: &'static [(&'static str, &'static str)],
}

/// One figure beside a peer's.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) ours: Samples,
    pub(crate) against: String,
    pub(crate) peer: Samples,
    pub(crate) by: By,
    pub(crate) goal: Option<Goal>,
}

/// What is made of the two figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// Ours by the peer's.
    Ratio,
    /// Ours less the peer's, in MiB.
    Difference,
}

impl Row {
    /// A row whose figures are divided.
    pub(crate) fn ratio(
        what: impl Into<String>,
        ours: &Samples,
        against: impl Into<String>,
        peer: &Samples,
    ) -> Self {
        Self {
            what: what.into(),
            ours: ours.clone(),
            against: against.into(),
            peer: peer.clone(),
            by: By::Ratio,
            goal: None,
        }
    }

    pub(crate) fn goal(self, goal: Goal) -> Self {
        Self { goal: Some(goal), ..self }
    }

    pub(crate) fn difference(self) -> Self {
        Self { by: By::Difference, ..self }
    }

    fn value(&self) -> f64 {
        match self.by {
            By::Ratio => self.ours.median() / self.peer.median(),
            By::Difference => self.ours.median() - self.peer.median(),
        }
    }

    fn cells(&self) -> [String; 8] {
        let bound = |bound: Option<f64>| match (self.goal, bound) {
            (Some(goal), Some(bound)) => format!("{} {bound}", goal.sign()),
            _ => String::new(),
        };
        let verdict = match self.goal.map(|goal| goal.judge(self.value())) {
            None => "",
            Some(Verdict::Missed) => "**no**",
            Some(Verdict::Reached) => "yes",
            Some(Verdict::Stretched) => "yes, stretch too",
        };
        [
            self.what.clone(),
            self.ours.to_string(),
            self.against.clone(),
            self.peer.to_string(),
            self.shown_value(),
            bound(self.goal.map(|goal| goal.limit)),
            bound(self.goal.and_then(|goal| goal.stretch)),
            verdict.to_owned(),
        ]
    }

    fn shown_value(&self) -> String {
        let value = self.value();
        let digits = if value.abs() < 10.0 { 2 } else { 1 };
        match self.by {
            By::Ratio => format!("{value:.digits$}"),
            By::Difference => format!("{value:+.digits$} MiB"),
        }
    }
}

impl Section {
    /// The section in Markdown.
    pub(crate) fn render(&self) -> String {
        let mut out = format!("## {}\n\n{}\n\n", self.title, self.about);
        if !self.rows.is_empty() {
            out.push_str(&table(self.rows.iter()));
        }
        if !self.commands.is_empty() {
            out.push_str("\n```text\n");
            let width = self.commands.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
            for (name, command) in self.commands {
                // Writing to memory cannot fail.
                let _ = writeln!(out, "{name:<width$}  {command}");
            }
            out.push_str("```\n");
        }
        out
    }
}

fn table<'a>(rows: impl Iterator<Item = &'a Row>) -> String {
    let mut out = "| what | ours | against | theirs | ratio | goal | stretch | reached |\n\
                   |---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for row in rows {
        let cells = row.cells().map(|cell| cell.replace('|', "\\|"));
        // Writing to memory cannot fail.
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    out
}

/// The whole report. `machine` are lines about where it ran, `notes` what people wrote about it.
pub(crate) fn render(machine: &[String], rounds: usize, sections: &[Section], notes: &str) -> String {
    let goals = || sections.iter().flat_map(|section| &section.rows).filter(|row| row.goal.is_some());
    let missed =
        goals().filter(|row| row.goal.map(|goal| goal.judge(row.value())) == Some(Verdict::Missed)).count();
    let mut out = format!(
        "# Performance\n\nWritten by `just bench`, but for the last part, which is `benchmarks/notes.md`. Programs and peers \
         ran by turns, pinned to cores, {rounds} rounds of each; figures are medians with the least and the greatest, and a \
         goal is judged by the medians of one run. Every output is checked, and a wrong one ends the run. \
         Times are CPU (user and system) where no other is named, of the whole process. Absolute figures move from machine to machine, ratios less so.\n\n## Machine\n\n"
    );
    for line in machine {
        let _ = writeln!(out, "- {line}");
    }
    let _ = write!(out, "\n## Goals\n\n{} of {} are reached.\n\n", goals().count() - missed, goals().count());
    out.push_str(&table(goals()));
    for section in sections {
        out.push('\n');
        out.push_str(&section.render());
    }
    out.push('\n');
    out.push_str(notes.trim_end());
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goals;
    use crate::samples::Unit;

    fn row(ours: f64, peer: f64) -> Row {
        let samples = |value| Samples::new(Unit::Seconds, [value]);
        Row::ratio("a | b", &samples(ours), "cp", &samples(peer))
    }

    #[test]
    fn a_row_shows_both_figures_what_is_made_of_them_and_its_goal() {
        let row = row(0.3, 0.2).goal(goals::ONE_DOCUMENT);
        let shown = table([row].iter());
        let expected =
            "| a \\| b | 0.300 s (0.300–0.300) | cp | 0.200 s (0.200–0.200) | 1.50 | ≤ 1.5 | ≤ 1.2 | yes |\n";
        assert_eq!(shown.lines().last().map(|line| format!("{line}\n")).as_deref(), Some(expected));
    }

    #[test]
    fn a_missed_goal_stands_out_and_no_goal_says_nothing() {
        assert_eq!(row(4.0, 1.0).goal(goals::text_to_csv::COPY).cells()[7], "**no**");
        assert_eq!(row(1.0, 1.0).goal(goals::text_to_csv::COPY).cells()[7], "yes, stretch too");
        assert_eq!(row(3.0, 1.0).cells()[5..], ["", "", ""]);
        assert_eq!(row(3.0, 1.0).difference().goal(goals::MEMORY).cells()[4..6], ["+2.00 MiB", "≤ 16"]);
    }

    #[test]
    fn the_report_has_machine_goals_sections_and_notes_in_that_order() {
        let section = Section {
            title: "Conversions",
            about: "A million lines.".to_owned(),
            rows: vec![row(4.0, 1.0).goal(goals::text_to_csv::COPY), row(1.0, 1.0)],
            commands: &[("cp", "cp in out"), ("text-to-csv", "text-to-csv --once")],
        };
        let report = render(&["2 cores".to_owned()], 5, &[section], "## Notes\n\nNone.\n");
        let parts = [
            "# Performance\n",
            "- 2 cores\n",
            "0 of 1 are reached",
            "## Conversions\n\nA million lines.",
            "```text\ncp           cp in out\ntext-to-csv  text-to-csv --once\n```\n",
            "## Notes\n\nNone.\n",
        ];
        let places: Vec<_> = parts.iter().map(|part| report.find(part)).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}\n{report}");
    }
}
