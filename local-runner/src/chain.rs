//! getdata and the three stages, wired as the manifests wire them.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use service::settings::{AdminArgs, LogArgs};
use service::{BatchDone, Context, Shutdown};
use stage::StageArgs;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;

/// What the services are given.
pub(crate) struct Chain {
    pub(crate) root: PathBuf,
    pub(crate) data_dir: PathBuf,
    pub(crate) api: Vec<SocketAddr>,
    pub(crate) output: Arc<Mutex<dyn Write + Send>>,
    pub(crate) shutdown: Shutdown,
    pub(crate) batches: UnboundedSender<BatchDone>,
}

impl Chain {
    /// Lists once, then drains stage after stage.
    pub(crate) async fn run_once(self) -> anyhow::Result<()> {
        getdata::run(self.getdata(None), self.context()).await.context("getdata failed")?;
        text_to_csv::run(self.text_to_csv(true), self.context()).await.context("text-to-csv failed")?;
        csv_to_json::run(self.csv_to_json(true), self.context()).await.context("csv-to-json failed")?;
        json_to_api::run(self.json_to_api(true), self.context()).await.context("json-to-api failed")
    }

    /// Runs all at once until the shutdown; the first that fails ends the others.
    pub(crate) async fn run_every(self, every: Duration) -> anyhow::Result<()> {
        let mut services = JoinSet::new();
        services.spawn(getdata::run(self.getdata(Some(every)), self.context()));
        services.spawn(text_to_csv::run(self.text_to_csv(false), self.context()));
        services.spawn(csv_to_json::run(self.csv_to_json(false), self.context()));
        services.spawn(json_to_api::run(self.json_to_api(false), self.context()));
        let mut result = Ok(());
        while let Some(ended) = services.join_next().await {
            self.shutdown.request();
            result = result.and(ended.context("a service panicked").flatten());
        }
        result
    }

    fn context(&self) -> Context {
        let mut context = Context::new(self.shutdown.clone());
        context.batches = Some(self.batches.clone());
        context
    }

    fn getdata(&self, every: Option<Duration>) -> getdata::Config {
        getdata::Config {
            root: self.root.clone(),
            data_dir: self.data_dir.clone(),
            every,
            max_backlog: getdata::DEFAULT_MAX_BACKLOG,
            log: LogArgs::default(),
        }
    }

    fn text_to_csv(&self, once: bool) -> text_to_csv::Config {
        text_to_csv::Config { stage: self.stage(once) }
    }

    fn csv_to_json(&self, once: bool) -> csv_to_json::Config {
        csv_to_json::Config { stage: self.stage(once) }
    }

    fn json_to_api(&self, once: bool) -> json_to_api::Config {
        json_to_api::Config {
            stage: self.stage(once),
            api_url: "http://api".to_owned(),
            concurrency: 64,
            timeout: Duration::from_secs(10),
            http: json_to_api::Http::Auto,
            headers: Vec::new(),
            ca_file: None,
            log_docs: true,
            addresses: Some(self.api.clone()),
            output: Some(self.output.clone()),
        }
    }

    fn stage(&self, once: bool) -> StageArgs {
        StageArgs {
            data_dir: self.data_dir.clone(),
            once,
            admin: AdminArgs::default(),
            log: LogArgs::default(),
            ..StageArgs::default()
        }
    }
}
