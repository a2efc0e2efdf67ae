//! What is deployed; the stages, each with a line that it takes; and one at work on a directory.

use std::process::Command;

use crate::{DataDir, Recorder, Reply, Running, stage, wait_for};

/// A stage, and what is known of it.
pub struct Stage {
    /// The program.
    pub name: &'static str,
    /// The extension of its input.
    pub input: &'static str,
    /// The extension of its output; empty: it sends.
    pub output: &'static str,
    /// A line that it takes.
    pub good: &'static str,
    /// What it makes of that.
    pub made: &'static str,
}

const DASHBOARD: &str = "dashboard";

/// The pipeline's programs, in its order: the workspace's members up to `api`.
///
/// # Panics
/// The root manifest lists none.
pub fn services() -> Vec<&'static str> {
    let mut names = members();
    let last = names.iter().position(|name| *name == "api").unwrap();
    names.truncate(last + 1);
    names
}

/// All programs that are deployed to stay: the pipeline's, and the page that shows it.
pub fn deployed() -> Vec<&'static str> {
    let mut names = services();
    names.push(DASHBOARD);
    names
}

/// The programs beside the pipeline, batch work and the operator: the workspace's members between `api` and what they
/// all share.
pub fn jobs() -> Vec<&'static str> {
    let all = members();
    let api = all.iter().position(|name| *name == "api").unwrap();
    let behind = all.into_iter().skip(api + 1).take_while(|name| !name.starts_with("lib/"));
    behind.filter(|name| *name != DASHBOARD).collect()
}

fn members() -> Vec<&'static str> {
    let manifest = include_str!("../../Cargo.toml");
    let members = manifest.split_once("\nmembers = [").unwrap().1.split(']').next().unwrap();
    members.split('"').skip(1).step_by(2).collect()
}

/// All stages.
pub const STAGES: [Stage; 3] = [
    Stage {
        name: "text-to-csv",
        input: "txt",
        output: "csv",
        good: "-rw-r--r--    1 root     root            19 Mar 19 23:57 /f\n",
        made: "-rw-r--r--,1,root,root,19,Mar 19 23:57,/f\n",
    },
    Stage {
        name: "csv-to-json",
        input: "csv",
        output: "json",
        good: "a,b,c,d,e,f,g\n",
        made: concat!(
            r#"{"mod":"a","no":"b","user":"c","group":"d","usrno":"e","date":"f","file":"g"}"#,
            "\n"
        ),
    },
    Stage { name: "json-to-api", input: "json", output: "", good: "{\"good\":1}\n", made: "{\"good\":1}" },
];

impl Stage {
    /// The name of an input; without an id it is the plain one.
    pub fn file(&self, id: &str) -> String {
        if id.is_empty() { format!("listing.{}", self.input) } else { format!("listing-{id}.{}", self.input) }
    }

    /// Whether it sends what it takes.
    pub fn sends(&self) -> bool {
        self.output.is_empty()
    }
}

/// A stage that watches a directory of its own.
pub struct AtWork<'a> {
    /// Its directory.
    pub data: &'a DataDir,
    /// The program.
    pub running: Running,
    stage: &'a Stage,
    api: Recorder,
}

impl<'a> AtWork<'a> {
    /// Starts a stage on a directory, with an API of its own that takes everything.
    pub fn start(stage: &'a Stage, data: &'a DataDir) -> Self {
        Self::start_by(stage, data, |command| command)
    }

    /// The same by another command, made of the usual one.
    pub fn start_by(stage: &'a Stage, data: &'a DataDir, change: impl FnOnce(Command) -> Command) -> Self {
        let api = Recorder::with("api", |_, _| Reply::Status(200));
        let url = api.url();
        let to: &[&str] = if stage.sends() { &["--api-url", &url] } else { &[] };
        let running = Running::start_as_it_is(&mut change(self::stage(stage.name, data.path(), to)));
        AtWork { data, running, stage, api }
    }

    /// How many good lines are through.
    pub fn made(&self) -> usize {
        if self.stage.sends() {
            return self.api.posts().iter().filter(|post| post.body == self.stage.made.as_bytes()).count();
        }
        self.data.read_all(self.stage.output).matches(self.stage.made).count()
    }

    /// Waits until so many are.
    ///
    /// # Panics
    /// There are more.
    pub fn wait_for_good(&self, count: usize) {
        wait_for(&format!("{count} good lines of {}", self.stage.name), || {
            (self.made() >= count).then_some(())
        });
        assert_eq!(self.made(), count, "{}", self.stage.name);
    }
}
