//! A port of the server: who comes through it has its calls counted, and meets the faults that a test asks for.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::answer::answer;
use super::kind::Address;
use super::refusal::Refusal;
use super::store::Store;

/// A call as a fault sees it.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// Its number, from 1.
    pub(crate) number: usize,
    pub(crate) method: String,
    pub(crate) address: Address,
    pub(crate) is_watch: bool,
}

impl Call {
    /// Such as `PATCH sequentialjobs/one/status`.
    pub(crate) fn text(&self) -> String {
        let verb = if self.is_watch { "WATCH" } else { &self.method };
        let rest = [&self.address.name, &self.address.subresource].into_iter().flatten();
        let rest: String = rest.map(|part| format!("/{part}")).collect();
        format!("{verb} {}{rest}", self.address.plural)
    }

    /// Whether it is about who leads, and not about work.
    pub(crate) fn is_of_lease(&self) -> bool {
        self.address.plural == "leases"
    }
}

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// It is answered with this status, and not done.
    Refuse(u16),
    /// Who makes it is killed before it is done.
    KillBefore,
    /// Who makes it is killed once it is done, before the answer.
    KillAfter,
}

type Decide = Box<dyn FnMut(&Call) -> Fault + Send>;

/// A port; all of it ends with the test's runtime.
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    calls: Mutex<Vec<Call>>,
    decide: Mutex<Decide>,
    process: Mutex<Option<Pid>>,
    is_away: watch::Sender<bool>,
    /// Whether connections go dead without a word.
    is_silent: watch::Sender<bool>,
    /// Connections that came while it was away.
    turned_away: watch::Sender<usize>,
    /// Counts calls, to wait for one.
    called: watch::Sender<usize>,
    /// The kind whose watches tell nothing for now.
    mute: watch::Sender<Option<&'static str>>,
    /// Counts how often all watches were dropped.
    drops: watch::Sender<u64>,
}

impl Door {
    pub(crate) async fn open(store: Arc<Store>) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let door = Arc::new(Self {
            address: listener.local_addr().unwrap(),
            calls: Mutex::default(),
            decide: Mutex::new(Box::new(|_| Fault::None)),
            process: Mutex::default(),
            is_away: watch::Sender::new(false),
            is_silent: watch::Sender::new(false),
            turned_away: watch::Sender::new(0),
            called: watch::Sender::new(0),
            mute: watch::Sender::new(None),
            drops: watch::Sender::new(0),
        });
        tokio::spawn(Arc::clone(&door).accept(listener, store));
        door
    }

    /// What happens to calls from now on.
    pub(crate) fn fault(&self, decide: impl FnMut(&Call) -> Fault + Send + 'static) {
        *lock(&self.decide) = Box::new(decide);
    }

    /// Who is killed where a fault says so. Its calls are counted from 1.
    pub(crate) fn comes(&self, process: Pid) {
        *lock(&self.process) = Some(process);
        lock(&self.calls).clear();
    }

    /// The calls that have come since the process did.
    pub(crate) fn calls(&self) -> Vec<Call> {
        lock(&self.calls).clone()
    }

    /// Cuts all connections, and each that comes, until it is back.
    pub(crate) fn set_away(&self, is_away: bool) {
        self.is_away.send_replace(is_away);
    }

    /// Says nothing more on any connection, nor on each that comes, until it is back; those stay as they are for ever.
    pub(crate) fn set_silent(&self, is_silent: bool) {
        self.is_silent.send_replace(is_silent);
    }

    /// Cuts all watches.
    pub(crate) fn drop_watches(&self) {
        self.drops.send_modify(|drops| *drops += 1);
    }

    /// Lets the watches of a kind tell nothing until it is none again: a cache that stays behind.
    pub(crate) fn mute(&self, plural: Option<&'static str>) {
        self.mute.send_replace(plural);
    }

    /// Waits until so many connections more were turned away.
    pub(crate) async fn until_turned_away(&self, more: usize) {
        let mut count = self.turned_away.subscribe();
        let wanted = *count.borrow() + more;
        count.wait_for(|count| *count >= wanted).await.expect("the door's own count");
    }

    /// Waits until such a call comes.
    pub(crate) async fn until_called(&self, is: impl Fn(&Call) -> bool) {
        let mut called = self.called.subscribe();
        loop {
            called.changed().await.expect("the door's own count");
            if lock(&self.calls).last().is_some_and(&is) {
                return;
            }
        }
    }

    async fn accept(self: Arc<Self>, listener: TcpListener, store: Arc<Store>) {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            if *self.is_away.borrow() {
                self.turned_away.send_modify(|count| *count += 1);
            } else {
                tokio::spawn(Arc::clone(&self).serve(stream, Arc::clone(&store)));
            }
        }
    }

    async fn serve(self: Arc<Self>, stream: TcpStream, store: Arc<Store>) {
        let (mut away, mut silent) = (self.is_away.subscribe(), self.is_silent.subscribe());
        let service = service_fn(|request| {
            let (door, store) = (Arc::clone(&self), Arc::clone(&store));
            async move { Ok::<_, Infallible>(door.call(&store, request).await) }
        });
        let mut connection = pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        let goes_silent = tokio::select! {
            // A connection that breaks is the other side's business.
            _ = &mut connection => false,
            _ = away.wait_for(|is_away| *is_away) => false,
            _ = silent.wait_for(|is_silent| *is_silent) => true,
        };
        if goes_silent {
            std::future::pending().await
        }
    }

    async fn call(&self, store: &Arc<Store>, request: hyper::Request<Incoming>) -> hyper::Response<Body> {
        let path = request.uri().path().to_owned();
        let Some(address) = Address::of(&path) else {
            return super::answer::refuse(&Refusal::unknown(&path));
        };
        let is_watch = request.uri().query().is_some_and(|query| query.contains("watch=true"));
        let call = {
            let mut calls = lock(&self.calls);
            let method = request.method().to_string();
            let call = Call { number: calls.len() + 1, method, address: address.clone(), is_watch };
            calls.push(call.clone());
            call
        };
        self.called.send_modify(|count| *count += 1);
        let fault = (lock(&self.decide))(&call);
        match fault {
            Fault::Refuse(code) => return super::answer::refuse(&Refusal::fault(code)),
            Fault::KillBefore => return self.kill().await,
            Fault::None | Fault::KillAfter => {}
        }
        let answer = answer(store, &address, request.map(Body::new), || {
            (self.drops.subscribe(), self.mute.subscribe())
        })
        .await;
        if fault == Fault::KillAfter {
            return self.kill().await;
        }
        answer
    }

    /// Whoever is killed gets no answer.
    async fn kill(&self) -> hyper::Response<Body> {
        let process = lock(&self.process).take();
        if let Some(process) = process {
            // It may have ended by itself.
            _ = kill_process(process, Signal::KILL);
        }
        std::future::pending().await
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
