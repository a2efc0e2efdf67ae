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
    pub(crate) contexts: Contexts,
    pub(crate) batches: Observer,
}

/// Where each stage reports.
#[derive(Clone)]
pub(crate) struct Contexts {
    pub(crate) text_to_csv: Context,
    pub(crate) csv_to_json: Context,
    pub(crate) json_to_api: Context,
    shutdown: Shutdown,
}

impl Contexts {
    pub(crate) fn new(shutdown: &Shutdown) -> Self {
        let context = || Context::new(shutdown.clone());
        let [text_to_csv, csv_to_json, json_to_api] = [context(), context(), context()];
        Contexts { text_to_csv, csv_to_json, json_to_api, shutdown: shutdown.clone() }
    }
}

impl Chain {
    /// Lists once, then drains stage after stage.
    pub(crate) async fn run_once(self) -> anyhow::Result<()> {
        self.getdata(None).await.context("getdata failed")?;
        let Contexts { text_to_csv, csv_to_json, .. } = self.contexts.clone();
        self.convert(text_to_csv::STAGE, text_to_csv, true).await.context("text-to-csv failed")?;
        self.convert(csv_to_json::STAGE, csv_to_json, true).await.context("csv-to-json failed")?;
        self.json_to_api(true).await.context("json-to-api failed")
    }

    /// Runs all at once until the shutdown; the first that fails ends the others.
    pub(crate) async fn run_every(self, every: Duration) -> anyhow::Result<()> {
        let mut services = JoinSet::new();
        services.spawn(self.getdata(Some(every)));
        let Contexts { text_to_csv, csv_to_json, .. } = self.contexts.clone();
        services.spawn(self.convert(text_to_csv::STAGE, text_to_csv, false));
        services.spawn(self.convert(csv_to_json::STAGE, csv_to_json, false));
        services.spawn(self.json_to_api(false));
        let mut result = Ok(());
        while let Some(ended) = services.join_next().await {
            self.contexts.shutdown.request();
            result = result.and(ended.context("a service panicked").flatten());
        }
        result
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
        getdata::run_observed(config, Context::new(self.contexts.shutdown.clone()), self.observer())
    }

    fn convert(
        &self,
        converter: Converter,
        context: Context,
        once: bool,
    ) -> impl Future<Output = anyhow::Result<()>> + use<> {
        let config = stage::Config { stage: self.stage(once), own: NoOptions {} };
        converter.run(config, context, self.observer())
    }

    fn json_to_api(&self, once: bool) -> impl Future<Output = anyhow::Result<()>> + use<> {
        let config = json_to_api::Config { stage: self.stage(once), own: json_to_api::Options::default() };
        let surroundings = Surroundings {
            addresses: Some(self.api.clone()),
            output: Some(Arc::clone(&self.output)),
            observer: self.observer(),
        };
        json_to_api::run_within(config, self.contexts.json_to_api.clone(), surroundings)
    }

    fn stage(&self, once: bool) -> StageArgs {
        StageArgs { data_dir: self.data_dir.clone(), once, ..StageArgs::default() }
    }
}
