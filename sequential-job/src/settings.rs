use std::net::SocketAddr;

use anyhow::Context as _;
use clap::ArgAction;
use service::Settings;
use service::settings::{AdminArgs, LogArgs};

/// Runs the containers of every `SequentialJob` one after another
#[derive(Debug, Clone, clap::Parser)]
pub struct Config {
    /// The controller's own namespace, where its Lease and its certificate's Secret are
    #[arg(long, env, value_name = "NAME", default_value = "sequential-operator-system")]
    pub namespace: String,

    /// The namespace whose resources it looks after; without it, all
    #[arg(long, env, value_name = "NAME")]
    pub watch_namespace: Option<String>,

    /// The name under which it leads and reports; without it, the host's
    #[arg(long, env, value_name = "NAME")]
    pub pod_name: Option<String>,

    /// Whether several controllers agree on one that works; without it, there must be only one
    #[arg(long, env, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", default_value_t = true)]
    pub leader_election: bool,

    /// Where the admission webhook is served over TLS, or `off`
    #[arg(long, env, value_name = "ADDRESS", default_value = "0.0.0.0:9443", value_parser = address_or_off)]
    pub webhook_listen: Address,

    /// A directory with `tls.crt` and `tls.key` for the webhook; without it, it makes its own certificate and tells the
    /// API server to trust it
    #[arg(long, env, value_name = "DIR")]
    pub webhook_cert_dir: Option<std::path::PathBuf>,

    /// The admin port.
    #[command(flatten)]
    pub admin: AdminArgs,

    /// How diagnostics are written.
    #[command(flatten)]
    pub log: LogArgs,
}

/// An address, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address(pub Option<SocketAddr>);

fn address_or_off(text: &str) -> Result<Address, String> {
    if text == "off" {
        return Ok(Address(None));
    }
    text.parse()
        .map(|address| Address(Some(address)))
        .map_err(|error: std::net::AddrParseError| error.to_string())
}

impl Config {
    /// The name under which it leads and reports.
    ///
    /// # Errors
    /// None is given, and the host has none.
    pub fn identity(&self) -> anyhow::Result<String> {
        if let Some(name) = &self.pod_name {
            return Ok(name.clone());
        }
        let host = hostname::get().context("failed to ask for the host name")?;
        // Two on one host are not one.
        Ok(format!("{}-{}", host.to_string_lossy(), std::process::id()))
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
