//! Answers every request with the name of its pod: any method on any path gets status 200 and
//! `{"response":"ok","container":"<host name>"}`, over HTTP/1.1 and, where a client begins with its preface, HTTP/2.
//!
//! It reads bodies to their end (up to 2 MiB, else 413) and throws them away. It refuses to route, to store or to look
//! at what it is sent, and to wait without limit for a client: headers, bodies and silence have their time-outs. There is
//! no bound on the number of connections; where the system has no more to give, it waits and goes on.
//!
//! On a shutdown it answers on for a moment, with `Connection: close` or GOAWAY (kube-proxy still sends), then stops
//! accepting, finishes what is in flight, and cuts off what is left when [`service::Shutdown::GRACE`] is over.
//!
//! - here: [`Config`], [`run`], and [`serve`], the life of the listener
//! - `answer`: one request to one response, without sockets; `date`: the time that it bears
//! - `connection`: one connection, from its acceptance to its end; `http1` and `http2`: what is spoken on it
//! - `pace`: what a connection is at; `socket`: where that is observed; `patience`: how long it may take

mod answer;
mod connection;
mod date;
mod http1;
mod http2;
mod pace;
mod patience;
mod socket;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use prometheus::IntCounter;
use service::listener::{self, Acceptor};
use service::settings::{AdminArgs, LogArgs};
use service::{Context, Settings, Shutdown};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use crate::answer::Answers;
use crate::connection::Stop;
pub use crate::patience::Limits;

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 80);

/// How long it takes until a failed readiness has reached every node's kube-proxy, most of the time.
const DRAIN: Duration = Duration::from_secs(3);

/// Answers every request with the name of its pod
#[derive(Debug, Clone, clap::Parser)]
pub struct Config {
    /// The address to answer at
    #[arg(long, env, value_name = "ADDRESS", default_value_t = DEFAULT_LISTEN)]
    pub listen: SocketAddr,

    /// What it calls itself; none: the host name, which in Kubernetes is the pod's.
    #[arg(skip)]
    pub name: Option<String>,

    /// How long it goes on accepting after a shutdown was requested; shorter than [`Shutdown::GRACE`], or nothing is
    /// left for what is in flight.
    #[arg(skip = DRAIN)]
    pub drain: Duration,

    /// How long clients may take; tests shorten it.
    #[arg(skip)]
    pub limits: Limits,

    /// The admin port.
    #[command(flatten)]
    pub admin: AdminArgs,

    /// How diagnostics are written.
    #[command(flatten)]
    pub log: LogArgs,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: DEFAULT_LISTEN,
            name: None,
            drain: DRAIN,
            limits: Limits::default(),
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

/// Listens at `config.listen` and answers until the shutdown.
///
/// # Errors
/// The address cannot be listened at: names `--listen` and the address; and those of [`serve`].
pub async fn run(config: Config, context: Context) -> anyhow::Result<()> {
    let listener = listener::bind("--listen", config.listen).await?;
    serve(listener, config, context).await
}

/// Answers on `listener`, whatever `config.listen` says, until the shutdown; returns within [`Shutdown::GRACE`] of it.
///
/// # Errors
/// No host name, or a registry that has the metric already: at the start only.
pub async fn serve(listener: TcpListener, config: Config, context: Context) -> anyhow::Result<()> {
    let requests = request_counter(&context.metrics)?;
    let name = own_name(config.name)?;
    let answers = Arc::new(Answers::new(&name, context.shutdown.clone(), requests));
    let (stop, _) = watch::channel(Stop::No);
    let start = |stream: TcpStream| {
        let connection = connection::serve(stream, Arc::clone(&answers), config.limits, stop.subscribe());
        tokio::spawn(connection);
    };
    // The system queues clients from the bind on.
    context.health.ready();
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, name, "listening");
    }
    accept_until_drained(listener, &context.shutdown, config.drain, &stop, &start).await;
    finish(&stop, &context.shutdown).await;
    Ok(())
}

fn request_counter(metrics: &prometheus::Registry) -> anyhow::Result<IntCounter> {
    let register = || {
        let counter = IntCounter::new("api_requests_total", "Requests received")?;
        metrics.register(Box::new(counter.clone()))?;
        Ok::<_, prometheus::Error>(counter)
    };
    register().context("failed to register `api_requests_total`")
}

fn own_name(given: Option<String>) -> anyhow::Result<String> {
    if let Some(name) = given {
        return Ok(name);
    }
    let name = hostname::get().context("failed to ask for the host name")?;
    Ok(name.to_string_lossy().into_owned())
}

/// Accepts connections until `drain` after the shutdown's request; then no new ones are let in.
async fn accept_until_drained(
    listener: TcpListener,
    shutdown: &Shutdown,
    drain: Duration,
    stop: &watch::Sender<Stop>,
    start: &impl Fn(TcpStream),
) {
    let drained = async {
        shutdown.requested().await;
        stop.send_replace(Stop::Drain);
        sleep(drain).await;
    };
    let mut drained = std::pin::pin!(drained);
    let mut acceptor = Acceptor::new(listener);
    loop {
        tokio::select! {
            biased;
            () = &mut drained => break,
            stream = acceptor.next() => start(stream),
        }
    }
    match acceptor.close() {
        Ok(waiting) => waiting.into_iter().for_each(start),
        Err(error) => tracing::warn!("failed to accept the last connections: {error}"),
    }
}

/// Waits for the connections to end, and cuts off those that are left when the grace is over.
async fn finish(stop: &watch::Sender<Stop>, shutdown: &Shutdown) {
    stop.send_replace(Stop::Finish);
    let deadline = shutdown.deadline().map_or_else(Instant::now, Instant::from_std);
    if timeout_at(deadline, stop.closed()).await.is_err() {
        tracing::warn!("cutting off {} connections", stop.receiver_count());
        stop.send_replace(Stop::CutOff);
    }
}
