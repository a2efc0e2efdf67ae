use std::ffi::{OsStr, OsString};

use clap::builder::Resettable;
use clap::{CommandFactory, FromArgMatches};

/// The command line of `S`, without the environment variables that `variable` says are empty.
///
/// clap takes an empty variable for a value; a manifest that leaves one empty means the default.
pub(crate) fn command<S: CommandFactory>(variable: impl Fn(&OsStr) -> Option<OsString>) -> clap::Command {
    // All programs are of one workspace and bear one version.
    let command = S::command().version(env!("CARGO_PKG_VERSION"));
    command.mut_args(|argument| {
        let name = argument.get_env();
        let is_empty = name.and_then(&variable).is_some_and(|value| value.is_empty());
        // A value may be a secret, and help is pasted into tickets.
        let argument = argument.hide_env_values(true);
        if is_empty { argument.env(Resettable::Reset) } else { argument }
    })
}

/// Reads the settings from the command line `arguments` (the program's name first) and clap's look at the environment.
pub(crate) fn parse<S: CommandFactory + FromArgMatches>(
    mut command: clap::Command,
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<S, clap::Error> {
    let mut matches = command.try_get_matches_from_mut(arguments)?;
    S::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::settings::{AdminArgs, LogArgs, LogFormat, duration};

    /// Settings as a program has them. `PATH` stands for a variable that is set: every test process has it.
    #[derive(Debug, clap::Parser)]
    #[command(name = "sample")]
    struct Sample {
        #[arg(long, env = "PATH", default_value = "nothing")]
        path: String,
        #[arg(long, env = "SERVICE_TEST_PAUSE", default_value = "2s", value_parser = duration)]
        pause: Duration,
        #[command(flatten)]
        admin: AdminArgs,
        #[command(flatten)]
        log: LogArgs,
    }

    fn all_empty(_: &OsStr) -> Option<OsString> {
        Some(OsString::new())
    }

    fn sample(arguments: &[&str]) -> Result<Sample, clap::Error> {
        let arguments = ["sample"].iter().chain(arguments).map(OsString::from);
        parse(command::<Sample>(all_empty), arguments)
    }

    fn refusal(arguments: &[&str]) -> String {
        let error = sample(arguments).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        error.to_string()
    }

    #[test]
    fn without_flags_and_variables_the_defaults_hold() {
        let sample = sample(&[]).unwrap();
        assert_eq!(sample.path, "nothing");
        assert_eq!(sample.pause, Duration::from_secs(2));
        assert_eq!(sample.admin.admin_listen, None);
        assert_eq!(sample.admin.or_default().to_string(), "0.0.0.0:9090");
        assert!(!sample.admin.check_health);
        assert_eq!(sample.log.rust_log, "info");
        assert_eq!(sample.log.log_format, LogFormat::Text);
    }

    #[test]
    fn a_variable_counts_unless_it_is_empty() {
        let arguments = || [OsString::from("sample")];
        let set: Sample = parse(command::<Sample>(|_| Some("x".into())), arguments()).unwrap();
        assert_eq!(set.path, std::env::var("PATH").unwrap());
        let empty = |name: &OsStr| (name == "PATH").then(OsString::new);
        let unset: Sample = parse(command::<Sample>(empty), arguments()).unwrap();
        assert_eq!(unset.path, "nothing");
    }

    #[test]
    fn a_flag_goes_before_its_variable() {
        let arguments = ["sample", "--path", "flag"].map(OsString::from);
        let sample: Sample = parse(command::<Sample>(|_| Some("x".into())), arguments).unwrap();
        assert_eq!(sample.path, "flag");
    }

    #[test]
    fn booleans_are_read_in_every_form() {
        let cases: [(&[&str], bool); 5] = [
            (&[], false),
            (&["--check-health"], true),
            (&["--check-health", "true"], true),
            (&["--check-health", "false"], false),
            (&["--check-health=false"], false),
        ];
        for (arguments, expected) in cases {
            let read = sample(arguments).unwrap().admin.check_health;
            assert_eq!(read, expected, "{arguments:?}");
        }
        assert!(refusal(&["--check-health", "maybe"]).contains("--check-health"));
    }

    #[test]
    fn a_duration_without_unit_is_refused_with_the_name_of_its_setting() {
        assert!(refusal(&["--pause", "2"]).contains("--pause"));
    }

    #[test]
    fn a_wrong_value_is_refused_with_the_name_of_its_setting() {
        let message = refusal(&["--rust-log", "a=b=c"]);
        assert!(message.contains("--rust-log") && message.contains("a=b=c"), "{message}");
        assert!(refusal(&["--log-format", "xml"]).contains("--log-format"));
        assert!(refusal(&["--admin-listen", "nowhere"]).contains("--admin-listen"));
        assert!(refusal(&["--unknown"]).contains("--unknown"));
    }

    #[test]
    fn help_shows_every_flag_with_variable_and_default_but_no_values_of_variables() {
        let arguments = ["sample", "--help"].map(OsString::from);
        let help = parse::<Sample>(command::<Sample>(|_| None), arguments).unwrap_err();
        assert_eq!(help.exit_code(), 0);
        let help = help.to_string();
        for expected in [
            "--path",
            "[env: PATH]",
            "[default: nothing]",
            "[default: 2s]",
            "--admin-listen",
            "[env: ADMIN_LISTEN]",
            "[default: 0.0.0.0:9090; none with --once]",
            "--check-health",
            "[env: CHECK_HEALTH]",
            "[default: false]",
            "--rust-log",
            "[env: RUST_LOG]",
            "[default: info]",
            "--log-format",
            "[env: LOG_FORMAT]",
            "[default: text]",
        ] {
            assert!(help.contains(expected), "{expected} in {help}");
        }
    }

    #[test]
    fn every_program_tells_its_version() {
        let arguments = ["sample", "--version"].map(OsString::from);
        let version = parse::<Sample>(command::<Sample>(|_| None), arguments).unwrap_err();
        assert_eq!(version.exit_code(), 0);
        assert_eq!(version.to_string(), format!("sample {}\n", env!("CARGO_PKG_VERSION")));
    }
}
