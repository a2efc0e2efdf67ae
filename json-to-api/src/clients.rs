//! The way to the api: a thread a core, each with a runtime of its own, and several clients that live shortly.
//!
//! A Kubernetes Service picks a pod per connection, and a connection that is kept alive never sees a new pod. reqwest knows
//! no age of connections, so the clients themselves are replaced: what is in flight on an old one ends there, and the new
//! one makes new connections.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use reqwest::{Client, ClientBuilder, redirect, retry};
use tokio::runtime::{self, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::Http;
use crate::address_pool::Resolver;
use crate::lifetime::{self, Lifetime};

/// So many documents in flight are worth a further client.
const SHARE: u16 = 16;
/// As few: over HTTP/2 each has one connection, which a balancer gives to one pod.
const FEWEST: u16 = 4;
const MOST: u16 = 16;

/// What every client is made with.
pub(crate) struct Setup {
    pub(crate) http: Http,
    pub(crate) timeout: Duration,
    pub(crate) resolver: Resolver,
    /// Shared by all: to read the roots takes longer than a connection lives.
    pub(crate) tls: rustls::ClientConfig,
}

/// The clients, and the threads that they work on.
pub(crate) struct Clients {
    setup: Setup,
    lifetime: Lifetime,
    slots: Vec<Slot>,
    random: fastrand::Rng,
    threads: Vec<Handle>,
    /// Ends the threads.
    _stop: DropGuard,
}

/// A client's place, which the next one takes.
struct Slot {
    /// Whose runtime has the client's connections.
    thread: usize,
    client: Client,
    /// How many connections it may have at once.
    connections: u16,
    expires: Instant,
    sent: u32,
    in_flight: u16,
}

/// A client to send one document with.
pub(crate) struct Lease {
    /// The thread that has its connections.
    pub(crate) thread: usize,
    pub(crate) client: Client,
    /// To be given back.
    pub(crate) slot: usize,
}

impl Clients {
    /// For so many documents in flight.
    ///
    /// # Errors
    /// A thread or a client cannot be made.
    pub(crate) fn start(setup: Setup, concurrency: u16) -> anyhow::Result<Self> {
        let stop = CancellationToken::new();
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let number = (concurrency / SHARE).clamp(FEWEST, MOST).min(concurrency);
        let threads: Vec<Handle> =
            (0..cores.min(usize::from(number))).map(|_| start_thread(&stop)).collect::<io::Result<_>>()?;
        let mut random = fastrand::Rng::new();
        // Over HTTP/2 a client has one connection, over HTTP/1.1 one for each document in flight.
        let connections = if setup.http == Http::Two { number } else { concurrency };
        let lifetime = Lifetime::of(connections);
        let slots = (0..number).map(|index| {
            let share = connections / number + u16::from(index < connections % number);
            let thread = usize::from(index) % threads.len();
            Ok(Slot::new(thread, setup.client()?, share, lifetime.draw(&mut random)))
        });
        let slots = slots.collect::<reqwest::Result<_>>()?;
        Ok(Clients { setup, lifetime, slots, random, threads, _stop: stop.drop_guard() })
    }

    /// The threads that the clients work on.
    pub(crate) fn threads(&self) -> &[Handle] {
        &self.threads
    }

    /// A client for the next document of a batch of which so many were sent before.
    ///
    /// # Errors
    /// No new client can be made.
    pub(crate) fn lease(&mut self, sent_before: u64) -> reqwest::Result<Lease> {
        let now = Instant::now();
        let least = self.slots.iter_mut().enumerate().min_by_key(|(_, slot)| slot.in_flight);
        let (index, slot) = least.expect("there is a client for every concurrency");
        let most = lifetime::most_documents(sent_before).saturating_mul(u32::from(slot.connections));
        if now >= slot.expires || slot.sent >= most {
            slot.client = self.setup.client()?;
            slot.expires = now + self.lifetime.draw(&mut self.random);
            slot.sent = 0;
        }
        slot.sent += 1;
        slot.in_flight += 1;
        Ok(Lease { thread: slot.thread, client: slot.client.clone(), slot: index })
    }

    /// Nothing is in flight any more, whatever was not given back.
    pub(crate) fn reset(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.in_flight = 0);
    }

    /// Gives a client back; `is_sound`: whether its connections may be used again.
    pub(crate) fn give_back(&mut self, slot: usize, is_sound: bool) {
        let slot = &mut self.slots[slot];
        slot.in_flight -= 1;
        // Over HTTP/1.1 a connection that failed is gone already, and the others of the client are not concerned.
        if !is_sound && self.setup.http == Http::Two {
            slot.expires = Instant::now();
        }
    }
}

impl Slot {
    fn new(thread: usize, client: Client, connections: u16, life: Duration) -> Self {
        Slot { thread, client, connections, expires: Instant::now() + life, sent: 0, in_flight: 0 }
    }
}

impl Setup {
    fn client(&self) -> reqwest::Result<Client> {
        let builder = ClientBuilder::new()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .no_proxy()
            .timeout(self.timeout)
            .connect_timeout(self.timeout)
            .pool_idle_timeout(lifetime::LONGEST)
            .dns_resolver(self.resolver.clone())
            .tls_backend_preconfigured(self.tls.clone());
        match self.http {
            Http::One => builder.http1_only(),
            Http::Two => builder.http2_prior_knowledge(),
        }
        .build()
    }
}

/// Starts a thread that runs what is spawned on its runtime until `stop`.
fn start_thread(stop: &CancellationToken) -> io::Result<Handle> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let stopped = stop.clone().cancelled_owned();
    thread::Builder::new().name("post".to_owned()).spawn(move || {
        runtime.block_on(stopped);
        // Not by dropping it, which waits for look-ups that may never end.
        runtime.shutdown_background();
    })?;
    Ok(handle)
}
