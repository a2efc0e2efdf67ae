//! The replicas of the api, each on a loopback port of its own.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use prometheus::Registry;
use service::{Context, Shutdown};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Replicas that answer.
pub(crate) struct Replicas {
    shutdown: Shutdown,
    addresses: Vec<SocketAddr>,
    counts: Counts,
    contexts: Vec<(String, Context)>,
    tasks: JoinSet<anyhow::Result<()>>,
}

impl Replicas {
    pub(crate) async fn start(number: u16) -> anyhow::Result<Self> {
        let mut replicas = Replicas {
            shutdown: Shutdown::new(),
            addresses: Vec::new(),
            counts: Counts(Vec::new()),
            contexts: Vec::new(),
            tasks: JoinSet::new(),
        };
        for number in 1..=number {
            replicas.add(format!("api-{number}")).await?;
        }
        Ok(replicas)
    }

    async fn add(&mut self, name: String) -> anyhow::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.with_context(|| format!("failed to find a free port for {name}"))?;
        self.addresses.push(listener.local_addr().context("failed to ask for a port")?);
        let context = Context::new(self.shutdown.clone());
        self.counts.0.push((name.clone(), context.metrics.clone()));
        self.contexts.push((name.clone(), context.clone()));
        self.tasks.spawn(api::serve(listener, name, context));
        Ok(())
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.addresses.clone()
    }

    /// Names, and where each reports.
    pub(crate) fn contexts(&self) -> Vec<(String, Context)> {
        self.contexts.clone()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts.clone()
    }

    pub(crate) async fn stop(mut self) {
        self.shutdown.request();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// How many requests each replica has answered.
#[derive(Clone)]
pub(crate) struct Counts(Vec<(String, Registry)>);

impl Counts {
    /// Names and counts, in the replicas' order.
    pub(crate) fn now(&self) -> Vec<(String, u64)> {
        self.0.iter().map(|(name, registry)| (name.clone(), requests(registry))).collect()
    }
}

fn requests(registry: &Registry) -> u64 {
    let families = registry.gather();
    let requests = families.iter().filter(|family| family.name() == "api_requests_total");
    // Counters are whole numbers in floating point.
    requests
        .flat_map(|family| family.get_metric())
        .map(|metric| metric.get_counter().get_value() as u64)
        .sum()
}
