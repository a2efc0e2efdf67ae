//! Runs the containers of a `SequentialJob` as Kubernetes Jobs, one after another: a failure stops the sequence and says
//! why.
//!
//! It refuses to run two steps at once, to start a step whose predecessor is not complete, to run a step a second time
//! unless it was changed, deleted or retried, and to touch a Job that is not its own. What a Job does with its pods is
//! the Job controller's business.
//!
//! # Why nothing is started twice
//!
//! The resource's status is the memory, and is written before anything is done:
//!
//! 1. *Intent*: the step's record gets the next number of `status.attempts`, which only grows, and the hash of what is
//!    to run. The write names the `resourceVersion` that was read: who decided on an old view is refused (409).
//! 2. *Job*: `<name>-<index>` is applied with that attempt in its pod template. A template cannot be changed: applying
//!    the same attempt again does nothing, applying an older one to a newer Job is refused (422).
//! 3. *Running*: the record gets the Job's uid. From now on a Job that is missing was deleted, after a look past the
//!    cache.
//! 4. *Outcome and next intent* are one write, so that a finished step needs no more calls than: two writes of status,
//!    a Job, a list of pods, two events.
//!
//! A Job whose attempt is not its step's is obsolete: it is deleted in the foreground, by uid, and nothing starts until
//! it and its pods are gone. A Job that somebody else deleted is made again once its pods have ended. Where actions follow without a write of status (a controller died in between), the resource
//! is read anew first. A leader that cannot renew its lease drops all that it does before another can take over.
//!
//! # Layout
//!
//! - [`resource`]: the types, their schema and its rules; [`schema`]: what Kubernetes' own types need to become part of it
//! - [`validate`]: all faults of a spec at once, with their paths; for the webhook and the controller
//! - [`plan`]: the pure function from (resource, observed Jobs, clock) to (status, actions, events)
//! - [`jobs`]: a step to its Job, and a Job to what the plan observes
//! - [`controller`]: the calls; [`leader`]: who makes them; [`metrics`]: what was done
//! - [`webhook`]: defaults and refusals at admission; [`certificate`]: what it is trusted by
//! - here: [`Config`] and [`run`]

pub mod certificate;
pub mod controller;
pub mod jobs;
pub mod leader;
pub mod metrics;
pub mod plan;
pub mod resource;
pub mod schema;
mod settings;
pub mod validate;
pub mod webhook;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use kube::{Api, Client};
use service::Context;
use tokio::net::TcpListener;

use crate::certificate::{Resolver, Source};
pub use crate::settings::Config;

/// The Lease that one of several controllers holds.
const LEASE: &str = "sequential-job-controller";

/// How long the API server may say nothing to a call: one whose connection is gone without a word must not hold up a
/// sequence for ever. A watch says something more often.
const SILENCE: Duration = Duration::from_secs(60);

/// Looks after all sequences, as long as it leads, until the shutdown.
///
/// # Errors
/// No cluster is configured, or there is no host name.
pub async fn run(config: Config, context: Context) -> anyhow::Result<()> {
    let client = client().await.context("failed to find out how the cluster is reached")?;
    let identity = config.identity()?;
    let metrics = Arc::new(metrics::Metrics::new(&context.metrics)?);
    let scope = controller::Scope { namespace: config.watch_namespace.clone(), identity: identity.clone() };
    let work = || {
        let (client, scope, metrics) = (client.clone(), scope.clone(), Arc::clone(&metrics));
        controller::run(client, scope, metrics, context.shutdown.clone())
    };
    let working = async {
        if config.leader_election {
            let leases = Api::namespaced(client.clone(), &config.namespace);
            leader::Candidate::new(leases, LEASE, &identity).lead(&context.shutdown, work).await;
        } else {
            work().await;
        }
    };
    match config.webhook_listen.0 {
        None => {
            context.health.ready();
            working.await;
        }
        Some(address) => {
            let listener = service::bind("--webhook-listen", address).await?;
            tokio::join!(working, admit(&config, &context, &client, listener));
        }
    }
    Ok(())
}

async fn client() -> anyhow::Result<Client> {
    let mut config = kube::Config::infer().await?;
    config.read_timeout = Some(SILENCE);
    config.reset_reader_on_write = true;
    Ok(Client::try_from(config)?)
}

/// Serves the webhook until the shutdown: by each controller, also by those that do not lead.
async fn admit(config: &Config, context: &Context, client: &Client, listener: TcpListener) {
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "webhook open");
    }
    let source = match &config.webhook_cert_dir {
        Some(directory) => Source::Directory(directory.clone()),
        None => Source::Secret { client: client.clone(), namespace: config.namespace.clone() },
    };
    let resolver = Arc::new(Resolver::default());
    let tell = |outcome| match outcome {
        Ok(()) => {
            context.health.resolved("certificate");
            context.health.ready();
        }
        Err(reason) => context.health.problem("certificate", reason),
    };
    let fresh = source.keep_fresh(&resolver, tell);
    tokio::select! {
        () = fresh => {}
        () = webhook::serve(listener, Arc::clone(&resolver), &context.shutdown) => {}
    }
}
