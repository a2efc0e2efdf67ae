//! The settings.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::ArgAction;
use clap::builder::BoolishValueParser;
use service::Settings;
use service::settings::{self, AdminArgs, LogArgs};

use crate::flow;

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8080);

/// A page that shows the flow, live
#[derive(Debug, Clone, clap::Parser)]
pub struct Config {
    /// The address of the page
    #[arg(long, env, value_name = "ADDRESS", default_value_t = DEFAULT_LISTEN)]
    pub listen: SocketAddr,

    /// The directory that the stages share; it is only looked at
    #[arg(long, env, default_value = "/data", value_name = "DIRECTORY")]
    pub data_dir: PathBuf,

    /// What the names of the stages' files begin with
    #[arg(long, env, default_value = volume::DEFAULT_STEM, value_name = "NAME", value_parser = volume::stem)]
    pub stem: &'static str,

    /// Where a program's admin ports are, `PROGRAM=HOST:PORT`, repeatable (with commas between in METRICS); all addresses
    /// of the host are asked, so that the name of a headless Service stands for all of its pods
    #[arg(long, env, value_name = "TARGET", value_delimiter = ',')]
    pub metrics: Vec<Target>,

    /// How often volume and pods are looked at, and the page is told
    #[arg(long, env, default_value = "1s", value_name = "DURATION", value_parser = positive)]
    pub interval: Duration,

    /// How long a pod may take to answer
    #[arg(long, env, default_value = "1s", value_name = "DURATION", value_parser = positive)]
    pub timeout: Duration,

    /// Let whoever sees the page read rejected files, download them, and send them again
    #[arg(
        long, env, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1,
        default_value_t = false, default_missing_value = "true", value_parser = BoolishValueParser::new(),
    )]
    pub allow_actions: bool,

    /// The admin port
    #[command(flatten)]
    pub admin: AdminArgs,

    /// Diagnostics
    #[command(flatten)]
    pub log: LogArgs,
}

impl Config {
    /// What clap makes of an empty command line and environment, but for the directory.
    pub fn on(data_dir: &Path) -> Self {
        Config {
            listen: DEFAULT_LISTEN,
            data_dir: data_dir.to_owned(),
            stem: volume::DEFAULT_STEM,
            metrics: Vec::new(),
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            allow_actions: false,
            admin: AdminArgs::default(),
            log: LogArgs::default(),
        }
    }
}

impl Settings for Config {
    fn log(&self) -> &LogArgs {
        &self.log
    }

    fn admin(&self) -> Option<SocketAddr> {
        Some(self.admin.or_default())
    }

    fn check_health(&self) -> bool {
        self.admin.check_health
    }
}

/// Where a program's pods are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The program.
    pub program: &'static str,
    /// A name or an address.
    pub host: String,
    /// The admin port.
    pub port: u16,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (program, address) = text.split_once('=').ok_or("expected PROGRAM=HOST:PORT")?;
        let known = flow::PROGRAMS.iter().find(|known| known.name == program);
        let program = known.ok_or_else(|| {
            let names: Vec<&str> = flow::PROGRAMS.iter().map(|known| known.name).collect();
            format!("`{program}` is none of {}", names.join(", "))
        })?;
        let (host, port) = address.rsplit_once(':').ok_or("expected HOST:PORT behind the `=`")?;
        let port = port.parse().map_err(|_| format!("`{port}` is no port"))?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() {
            return Err("expected a host before the port".to_owned());
        }
        Ok(Target { program: program.name, host: host.to_owned(), port })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// An interval of nothing would keep a core busy.
fn positive(text: &str) -> Result<Duration, String> {
    let duration = settings::duration(text)?;
    if duration < Duration::from_millis(10) {
        Err("it must be 10ms or more".to_owned())
    } else {
        Ok(duration)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn a_target_names_a_program_and_where_its_pods_are() {
        let target = |text: &str| text.parse::<Target>();
        let expected = Target { program: "api", host: "api-pods".to_owned(), port: 9090 };
        assert_eq!(target("api=api-pods:9090"), Ok(expected));
        assert_eq!(target("json-to-api=[::1]:80").unwrap().host, "::1");
        for wrong in
            ["", "api", "api=", "api=host", "api=:80", "api=host:0x", "api=host:65536", "nginx=host:80"]
        {
            assert!(target(wrong).is_err(), "{wrong}");
        }
        assert!(target("nginx=host:80").unwrap_err().contains("text-to-csv"));
    }

    #[test]
    fn targets_come_one_by_one_or_with_commas_between() {
        let config = ["dashboard", "--metrics", "api=a:1,api=b:2", "--metrics", "text-to-csv=c:3"];
        let hosts: Vec<String> =
            Config::parse_from(config).metrics.into_iter().map(|target| target.host).collect();
        assert_eq!(hosts, ["a", "b", "c"]);
        assert!(Config::try_parse_from(["dashboard", "--interval", "0s"]).is_err());
    }
}
