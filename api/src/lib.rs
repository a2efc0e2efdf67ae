//! Answers every request with the name of its pod: any method on any path gets status 200 and
//! `{"response":"ok","container":"<host name>"}`, over HTTP/1.1 and, where a client begins with its preface, HTTP/2.
//!
//! It reads bodies to their end (up to 2 MiB, else 413) and throws them away. It refuses to route, to store or to look
//! at what it is sent; what clients may hold, and for how long, [`service::Limits`] says.
//!
//! With a database it stores the JSON of every POST before it answers, once for each `Idempotency-Key`, and has routes
//! to read it again. It refuses to change or delete what is stored.
//!
//! On a shutdown it answers on for a moment (kube-proxy still sends), with `Connection: close` over HTTP/1.1, then drains
//! as [`service::Server`] does.
//!
//! - `answer`: [`app`], one request to one response, without sockets
//! - `store`: what a database adds
//! - `traced`: the same with spans, where traces are sent
//! - here: [`Config`]; [`run`], on all cores; [`serve`], on the present one

mod answer;
mod store;
mod traced;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZero;
use std::time::Duration;
use std::{fmt, io, thread};

use anyhow::Context as _;
use axum::Router;
use prometheus::{IntCounter, Opts, register_int_counter_with_registry, register_int_gauge_with_registry};
use service::settings::{AdminArgs, LogArgs};
use service::{Context, Limits, Server, Settings, Shutdown};
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::task::JoinSet;
use tokio::time::sleep;
use traces::{TraceArgs, Traces};

pub use crate::answer::app;
use crate::store::Store;
use crate::traced::Traced;

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 80);

/// How long it takes until a failed readiness has reached every node's kube-proxy, most of the time.
const DRAIN: Duration = Duration::from_secs(3);

const NO_ADDRESS: &str = "failed to ask for the listener's address";

/// Answers every request with the name of its pod
#[derive(Debug, Clone, clap::Parser)]
pub struct Config {
    /// The address to answer at
    #[arg(long, env, value_name = "ADDRESS", default_value_t = DEFAULT_LISTEN)]
    pub listen: SocketAddr,

    /// Store the JSON of every POST before it is answered, in `postgres://…`, shared by all replicas, or
    /// `sqlite:///data/documents.db`, one replica's own file
    #[arg(long, env, value_name = "URL")]
    pub database_url: Option<DatabaseUrl>,

    /// The admin port.
    #[command(flatten)]
    pub admin: AdminArgs,

    /// How diagnostics are written.
    #[command(flatten)]
    pub log: LogArgs,

    /// Where traces go.
    #[command(flatten)]
    pub trace: TraceArgs,
}

/// Where documents are kept; never shown, since it may hold a password.
#[derive(Clone)]
pub struct DatabaseUrl(String);

impl From<String> for DatabaseUrl {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(…)")
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

/// Listens at `config.listen` and answers, on each core that it may use, until the shutdown.
///
/// # Errors
/// The address cannot be listened at: names `--listen` and the address. No host name, or no thread.
pub async fn run(config: Config, context: Context) -> anyhow::Result<()> {
    let listener = service::bind("--listen", config.listen).await?;
    let name = hostname::get().context("failed to ask for the host name")?;
    let traces = Traces::start(&config.trace, env!("CARGO_PKG_NAME")).await?;
    let mut api = Api { traces: traces.clone(), ..Api::new(&name.to_string_lossy(), &context)? };
    let store = api.open(config.database_url.as_ref(), &context)?;
    // Not one of its own on the same port for each: the system would give each its share of the connections, whether it
    // is free or not, reset those that one leaves behind, and let any process of this user join in.
    let listener = listener.into_std().context("failed to share the listener")?;
    let mut cores = JoinSet::new();
    for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
        let (api, listener) = (api.clone(), listener.try_clone().context("failed to share the listener")?);
        // All before clients come: they may take the last file that can be opened.
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("failed to start a runtime")?;
        cores.spawn_blocking(move || runtime.block_on(api.serve_shared(listener)));
    }
    up(listener.local_addr().context(NO_ADDRESS)?, &name.to_string_lossy(), &context);
    drop((listener, api));
    // At about the same time: all have one deadline.
    while let Some(ended) = cores.join_next().await {
        ended.context("a thread panicked")?.context("failed to serve on one of the cores")?;
    }
    if let Some(store) = store {
        store.close().await;
    }
    if let Some(traces) = traces {
        traces.stop(context.shutdown.remaining()).await;
    }
    Ok(())
}

/// Answers on `listener` as `name`, on the present thread, until the shutdown.
///
/// # Errors
/// A registry that has the metric already.
pub async fn serve(listener: TcpListener, name: String, context: Context) -> anyhow::Result<()> {
    let api = Api::new(&name, &context)?;
    up(listener.local_addr().context(NO_ADDRESS)?, &name, &context);
    api.serve(listener, Duration::ZERO).await;
    Ok(())
}

/// The system queues clients from the bind on.
fn up(address: SocketAddr, name: &str, context: &Context) {
    context.health.ready();
    tracing::info!(%address, name, "listening");
}

/// What one core does: a thread with a runtime of its own costs less than one runtime that hands its tasks from core to
/// core. Clones share their limits.
#[derive(Clone)]
struct Api {
    server: Server,
    name: String,
    requests: IntCounter,
    shutdown: Shutdown,
    /// What answers where there is a database.
    router: Option<Router>,
    /// None: nothing is traced.
    traces: Option<Traces>,
}

impl Api {
    fn new(name: &str, context: &Context) -> anyhow::Result<Self> {
        let Context { metrics, shutdown, .. } = context;
        let requests =
            register_int_counter_with_registry!("api_requests_total", "Requests received", metrics)?;
        // What counts connections by pods finds in it the name that the answers have.
        let info =
            Opts::new("api_info", "Always 1; `pod` is what the answers call it").const_label("pod", name);
        register_int_gauge_with_registry!(info, metrics)?.set(1);
        let server = Server::new(Limits::default());
        Ok(Self {
            server,
            name: name.to_owned(),
            requests,
            shutdown: shutdown.clone(),
            router: None,
            traces: None,
        })
    }

    /// From now on requests are answered with a database, where there is one.
    fn open(&mut self, url: Option<&DatabaseUrl>, context: &Context) -> anyhow::Result<Option<Store>> {
        let Some(DatabaseUrl(url)) = url else { return Ok(None) };
        let answer = answer::Api::new(&self.name, self.requests.clone(), self.shutdown.clone());
        let (store, router) = Store::open(url, &self.name, answer, context)?;
        self.router = Some(router);
        Ok(Some(store))
    }

    /// Serves until `drain` after the shutdown's request, and what is in hand then to its end.
    async fn serve(self, listener: TcpListener, drain: Duration) {
        let Self { server, name, requests, shutdown, router, traces } = self;
        let drained = async {
            shutdown.requested().await;
            sleep(drain).await;
        };
        let plain = app(&name, requests, shutdown.clone());
        match (router, traces) {
            (None, None) => server.serve(listener, plain, drained, &shutdown).await,
            (None, Some(traces)) => {
                server.serve(listener, Traced { app: plain, traces }, drained, &shutdown).await;
            }
            (Some(router), None) => server.serve(listener, router, drained, &shutdown).await,
            (Some(app), Some(traces)) => {
                server.serve(listener, Traced { app, traces }, drained, &shutdown).await;
            }
        }
    }

    /// Serves a listener that others serve too.
    async fn serve_shared(self, listener: std::net::TcpListener) -> io::Result<()> {
        self.serve(TcpListener::from_std(listener)?, DRAIN).await;
        Ok(())
    }
}
