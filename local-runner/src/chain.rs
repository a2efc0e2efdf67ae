//! getdata and the three stages, wired as the manifests wire them.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use json_to_api::Surroundings;
use service::settings::LogArgs;
use service::{Context, Shutdown};
use stage::{Converter, NoOptions, Observer, StageArgs};
use tokio::task::JoinSet;

/// What the services are given.
pub(crate) struct Chain {
    pub(crate) root: PathBuf,
    pub(crate) data_dir: PathBuf,
    pub(crate) api: Vec<SocketAddr>,
    pub(crate) output: Arc<Mutex<dyn Write + Send>>,
    pub(crate) shutdown: Shutdown,
    pub(crate) batches: Observer,
}

impl Chain {
    /// Lists once, then drains stage after stage.
    pub(crate) async fn run_once(self) -> anyhow::Result<()> {
        self.getdata(None).await.context("getdata failed")?;
        self.convert(text_to_csv::STAGE, true).await.context("text-to-csv failed")?;
        self.convert(csv_to_json::STAGE, true).await.context("csv-to-json failed")?;
        self.json_to_api(true).await.context("json-to-api failed")
    }

    /// Runs all at once until the shutdown; the first that fails ends the others.
    pub(crate) async fn run_every(self, every: Duration) -> anyhow::Result<()> {
        let mut services = JoinSet::new();
        services.spawn(self.getdata(Some(every)));
        services.spawn(self.convert(text_to_csv::STAGE, false));
        services.spawn(self.convert(csv_to_json::STAGE, false));
        services.spawn(self.json_to_api(false));
        let mut result = Ok(());
        while let Some(ended) = services.join_next().await {
            self.shutdown.request();
            result = result.and(ended.context("a service panicked").flatten());
        }
        result
    }

    fn context(&self) -> Context {
        Context::new(self.shutdown.clone())
    }

    fn observer(&self) -> Option<Observer> {
        Some(self.batches.clone())
    }

    fn getdata(&self, every: Option<Duration>) -> impl Future<Output = anyhow::Result<()>> + use<> {
        let config = getdata::Config {
            root: self.root.clone(),
            data_dir: self.data_dir.clone(),
            every,
            max_backlog: getdata::DEFAULT_MAX_BACKLOG,
            log: LogArgs::default(),
        };
        getdata::run_observed(config, self.context(), self.observer())
    }

    fn convert(&self, converter: Converter, once: bool) -> impl Future<Output = anyhow::Result<()>> + use<> {
        let config = stage::Config { stage: self.stage(once), own: NoOptions {} };
        converter.run(config, self.context(), self.observer())
    }

    fn json_to_api(&self, once: bool) -> impl Future<Output = anyhow::Result<()>> + use<> {
        let config = json_to_api::Config { stage: self.stage(once), own: json_to_api::Options::default() };
        let surroundings = Surroundings {
            addresses: Some(self.api.clone()),
            output: Some(Arc::clone(&self.output)),
            observer: self.observer(),
        };
        json_to_api::run_within(config, self.context(), surroundings)
    }

    fn stage(&self, once: bool) -> StageArgs {
        StageArgs { data_dir: self.data_dir.clone(), once, ..StageArgs::default() }
    }
}
