//! The pods' admin ports: found by name anew each time, asked all at once, and never waited for longer than the time-out.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use http_client::tls;
use prometheus::TextEncoder;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use service::Context;
use tokio::net::lookup_host;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::numbers::Numbers;
use crate::recent::Recent;
use crate::settings::Target;
use crate::{Local, flow};

/// So many pods of a target are asked.
pub const MAX_PODS: usize = 256;

/// Longer answers are none, in bytes.
const MAX_ANSWER: usize = 1 << 20;
/// A reason is shown up to here, in bytes.
const MAX_REASON: usize = 300;

const AGENT: &str = concat!("dashboard/", env!("CARGO_PKG_VERSION"));
const RECENT: &str = "/recent";

/// What one pod said.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) program: &'static str,
    /// Where it is.
    pub(crate) address: String,
    /// When it said so: another pod may have been waited for since.
    pub(crate) at: Instant,
    /// What it is, or why it did not say.
    pub(crate) outcome: Result<Answer, String>,
}

/// What a pod says that answers.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) numbers: Numbers,
    /// Why it is not ready, where it is not.
    pub(crate) not_ready: Option<String>,
    pub(crate) recent: Recent,
}

/// All whom the page is about.
pub(crate) struct Pods {
    client: Client,
    targets: Vec<Target>,
    locals: Vec<Local>,
    timeout: Duration,
}

impl Pods {
    pub(crate) fn new(targets: Vec<Target>, locals: Vec<Local>, timeout: Duration) -> anyhow::Result<Self> {
        let client = Client::builder()
            .user_agent(AGENT)
            .no_proxy()
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .http1_only()
            // Never used: reqwest would look for one of its own.
            .tls_backend_preconfigured(tls::config(None, b"http/1.1")?)
            .timeout(timeout)
            .build()
            .context("failed to set up the HTTP client")?;
        Ok(Pods { client, targets, locals, timeout })
    }

    /// The programs that there is somebody to ask about.
    pub(crate) fn programs(&self) -> Vec<&'static str> {
        let targets = self.targets.iter().map(|target| target.program);
        targets.chain(self.locals.iter().map(|local| local.program)).collect()
    }

    /// Asks all; a target whose name has no address is one reading with the reason.
    pub(crate) async fn read(&self) -> Vec<Reading> {
        let mut asked = JoinSet::new();
        for target in &self.targets {
            let (client, target, limit) = (self.client.clone(), target.clone(), self.timeout);
            asked.spawn(async move { ask_all(&client, &target, limit).await });
        }
        let mut readings: Vec<Reading> = self.locals.iter().map(look_at).collect();
        while let Some(answered) = asked.join_next().await {
            readings.extend(answered.unwrap_or_default());
        }
        readings
    }
}

fn look_at(local: &Local) -> Reading {
    let Context { metrics, pages, health, .. } = &local.context;
    let text = TextEncoder::new().encode_to_string(&metrics.gather()).unwrap_or_default();
    let recent = pages.get(RECENT).map(|page| Recent::parse(&page)).unwrap_or_default();
    let answer =
        Answer { numbers: Numbers::parse(&text), not_ready: health.is_ready().err().map(cut), recent };
    Reading {
        program: local.program,
        address: local.replica.clone(),
        at: Instant::now(),
        outcome: Ok(answer),
    }
}

async fn ask_all(client: &Client, target: &Target, limit: Duration) -> Vec<Reading> {
    let none = |reason: String| {
        let (address, at) = (target.to_string(), Instant::now());
        vec![Reading { program: target.program, address, at, outcome: Err(cut(reason)) }]
    };
    let mut addresses: Vec<SocketAddr> = match timeout(limit, lookup_host((&*target.host, target.port))).await
    {
        Ok(Ok(found)) => found.collect(),
        Ok(Err(error)) => return none(format!("no address: {error}")),
        Err(_) => return none("no address in time".to_owned()),
    };
    addresses.sort_unstable();
    addresses.dedup();
    if addresses.is_empty() {
        return none("no address: there is no pod".to_owned());
    }
    let mut asked = JoinSet::new();
    for address in addresses.into_iter().take(MAX_PODS) {
        let (client, program) = (client.clone(), target.program);
        asked.spawn(async move {
            let outcome = ask(&client, program, address).await;
            let (address, at) = (address.to_string(), Instant::now());
            Reading { program, address, at, outcome: outcome.map_err(cut) }
        });
    }
    asked.join_all().await
}

async fn ask(client: &Client, program: &str, address: SocketAddr) -> Result<Answer, String> {
    let get = |path| get(client, address, path);
    let recent = async {
        match program {
            flow::SENDER => get(RECENT).await,
            _ => Ok((StatusCode::NOT_FOUND, String::new())),
        }
    };
    let (metrics, ready, recent) = tokio::join!(get("/metrics"), get("/readyz"), recent);
    let numbers = match metrics? {
        (StatusCode::OK, text) => Numbers::parse(&text),
        (status, _) => return Err(format!("/metrics answered {status}")),
    };
    let not_ready = match ready {
        Ok((StatusCode::OK, _)) | Err(_) => None,
        Ok((_, reason)) => Some(cut(reason.trim().to_owned())),
    };
    let recent = match recent {
        Ok((StatusCode::OK, page)) => Recent::parse(&page),
        // An older one has none.
        _ => Recent::default(),
    };
    Ok(Answer { numbers, not_ready, recent })
}

async fn get(client: &Client, address: SocketAddr, path: &str) -> Result<(StatusCode, String), String> {
    let failed = |error: reqwest::Error| -> String {
        let what = match () {
            () if error.is_timeout() => "no answer in time",
            () if error.is_connect() => "nobody listens",
            () => "no answer",
        };
        tracing::debug!(%address, path, error = &error as &dyn std::error::Error, "{what}");
        what.to_owned()
    };
    let mut response = client.get(format!("http://{address}{path}")).send().await.map_err(failed)?;
    let (status, mut body) = (response.status(), Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER {
            return Err(format!("{path} answered more than {MAX_ANSWER} bytes"));
        }
    }
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

fn cut(mut reason: String) -> String {
    reason.truncate(reason.floor_char_boundary(MAX_REASON));
    reason
}
