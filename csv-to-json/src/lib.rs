//! Turns `listing.csv` into `listing.json`, one document a line; or any CSV, whose fields a header or the user names.
//!
//! Without names any CSV record of seven fields becomes a document of seven strings, as a listing has them, and a header
//! is a record like any other. It refuses to judge the fields: all values are strings.
//!
//! The conversions are `records::listing`'s and `records::delimited`'s, all that concerns files `stage`'s.

use clap::ArgAction;
use clap::builder::BoolishValueParser;
use records::delimited::{self, Names};
use service::Context;
use stage::{Converter, Spec};

pub use records::listing::csv_to_json as convert;

/// What the stage is, without settings of its own.
pub const STAGE: Converter = Converter {
    spec: Spec { name: "csv-to-json", stem: "listing", input: Some("csv"), output: Some("json") },
    convert,
};

/// All settings of csv-to-json.
pub type Config = stage::Config<Options>;

/// The settings that csv-to-json has besides those of every stage.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Options {
    /// Each file's first row names the fields
    #[arg(
        long, env, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1,
        default_value_t = false, default_missing_value = "true", value_parser = BoolishValueParser::new(),
        conflicts_with = "fields",
    )]
    pub header: bool,

    /// The fields' names where files have no header, separated by commas [default: those of a listing]
    #[arg(long, env, value_name = "NAMES")]
    pub fields: Option<Names>,
}

/// Converts batches until the shutdown, or with `--once` until none is left.
///
/// # Errors
/// As [`stage::run`].
pub async fn run(config: Config, context: Context) -> anyhow::Result<()> {
    let spec = STAGE.spec;
    match config.own.fields.clone() {
        Some(names) => {
            Converter { spec, convert: delimited::csv_to_json(names) }.run(config, context, None).await
        }
        None if config.own.header => {
            let convert = delimited::csv_to_json_by_header;
            Converter { spec, convert }.run(config, context, None).await
        }
        None => STAGE.run(config, context, None).await,
    }
}
