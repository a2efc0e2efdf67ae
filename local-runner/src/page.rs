//! The dashboard, which watches the services of this process.

use std::path::Path;

use dashboard::Local;
use service::{Context, Shutdown};
use tokio::task::JoinHandle;

use crate::Config;
use crate::chain::Contexts;
use crate::replicas::Replicas;

/// The page, served.
pub(crate) struct Page(JoinHandle<anyhow::Result<()>>);

impl Page {
    /// Serves it from now on to the shutdown, and prints its address to standard error.
    pub(crate) async fn open(
        config: &Config,
        data_dir: &Path,
        stages: &Contexts,
        replicas: &Replicas,
        shutdown: &Shutdown,
    ) -> anyhow::Result<Self> {
        let listener = service::bind("--dashboard-listen", config.dashboard_listen).await?;
        if let Ok(address) = listener.local_addr() {
            eprintln!("dashboard: http://{address}/");
        }
        let local = |program, replica: &str, context: &Context| Local {
            program,
            replica: replica.to_owned(),
            context: context.clone(),
        };
        let mut locals = vec![
            local("text-to-csv", "text-to-csv", &stages.text_to_csv),
            local("csv-to-json", "csv-to-json", &stages.csv_to_json),
            local("json-to-api", "json-to-api", &stages.json_to_api),
        ];
        locals.extend(replicas.contexts().iter().map(|(name, context)| local("api", name, context)));
        let settings =
            dashboard::Config { allow_actions: config.allow_actions, ..dashboard::Config::on(data_dir) };
        let context = Context::new(shutdown.clone());
        Ok(Page(tokio::spawn(dashboard::run_within(settings, context, listener, locals))))
    }

    /// Waits for its end, which the shutdown brings about, as does a chain that failed.
    pub(crate) async fn close(self) {
        self.0.abort();
        // What it failed with concerns no record.
        if let Ok(Err(error)) = self.0.await {
            tracing::warn!("the dashboard failed: {error:#}");
        }
    }
}
