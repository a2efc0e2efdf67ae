//! Turns `listing.txt`, lines of `ls -l`, into `listing.csv`; or any lines of text, by a pattern.
//!
//! Of listings it reads what busybox and GNU coreutils print, and rejects a line that it cannot read without doubt. It
//! refuses to judge what a line says: no path is looked up, no mode or date checked beyond its form.
//!
//! The conversions are `records::listing`'s and `records::pattern`'s, all that concerns files `stage`'s.

use records::pattern::{self, Pattern};
use service::Context;
use stage::{Converter, Spec};

pub use records::listing::text_to_csv as convert;

/// What the stage is, without settings of its own.
pub const STAGE: Converter = Converter {
    spec: Spec { name: "text-to-csv", stem: "listing", input: Some("txt"), output: Some("csv") },
    convert,
};

/// All settings of text-to-csv.
pub type Config = stage::Config<Options>;

/// The settings that text-to-csv has besides those of every stage.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Options {
    /// A regular expression of whose named groups, such as `(?<status>[0-9]+)`, a line's fields are made, with a header;
    /// a line that it does not match is rejected [default: lines of ls -l]
    #[arg(long, env, value_name = "REGEX")]
    pub pattern: Option<Pattern>,
}

/// Converts batches until the shutdown, or with `--once` until none is left.
///
/// # Errors
/// As [`stage::run`].
pub async fn run(config: Config, context: Context) -> anyhow::Result<()> {
    match config.own.pattern.clone() {
        Some(pattern) => {
            let convert = pattern::text_to_csv(pattern);
            Converter { spec: STAGE.spec, convert }.run(config, context, None).await
        }
        None => STAGE.run(config, context, None).await,
    }
}
