//! Who makes the calls: one of several controllers, by a Lease.
//!
//! The holder renews it; who wants it takes it once it has not changed for its whole duration by the own clock, so that
//! clocks need not agree. A holder that cannot renew lets go of its work well before that. (The crates that there are for
//! it compare the clocks of machines, or hold on where the API server is away.)

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, ResourceExt};
use service::Shutdown;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// How long a Lease that is not renewed keeps others out.
pub const DURATION: Duration = Duration::from_secs(15);

/// How long a holder goes on without renewing.
const RENEW_WITHIN: Duration = Duration::from_secs(10);

/// How often the Lease is renewed, or tried for.
const EVERY: Duration = Duration::from_secs(2);

/// How long what is in hand may take at a shutdown, before the Lease is let go of.
const LET_GO_WITHIN: Duration = Duration::from_secs(5);

/// A candidate for one Lease.
pub struct Candidate {
    leases: Api<Lease>,
    name: String,
    identity: String,
    /// The version that was last seen, and when it was first.
    seen: Option<(String, Instant)>,
}

impl Candidate {
    /// A candidate for the Lease `name`.
    pub fn new(leases: Api<Lease>, name: &str, identity: &str) -> Self {
        Self { leases, name: name.to_owned(), identity: identity.to_owned(), seen: None }
    }

    /// Runs `work` whenever the Lease is held, until `shutdown`; it is dropped where the Lease is lost, and ends by itself
    /// at the shutdown.
    pub async fn lead<F: Future<Output = ()>>(mut self, shutdown: &Shutdown, work: impl Fn() -> F) {
        loop {
            let (mut lease, since) = tokio::select! {
                () = shutdown.requested() => return,
                acquired = self.acquire() => acquired,
            };
            tracing::info!(identity = self.identity, "leading");
            let lost = {
                let mut work = std::pin::pin!(work());
                tokio::select! {
                    // First: where the answer was long in coming, the Lease may be another's already.
                    biased;
                    () = self.hold(&mut lease, since) => true,
                    () = &mut work => false,
                    () = shutdown.requested() => timeout(LET_GO_WITHIN, work).await.is_err(),
                }
            };
            if shutdown.is_requested() {
                self.release(lease).await;
                return;
            }
            if lost {
                tracing::warn!(identity = self.identity, "lost the lease");
            }
        }
    }

    /// The Lease, and since when it counts: its duration begins when the API server writes it, not when that is known.
    async fn acquire(&mut self) -> (Lease, Instant) {
        loop {
            let since = Instant::now();
            match timeout(RENEW_WITHIN, self.try_to_acquire()).await {
                Ok(Ok(Some(lease))) => return (lease, since),
                Ok(Ok(None)) => {}
                Ok(Err(error)) => tracing::debug!("failed to get the lease: {error}"),
                Err(_) => tracing::debug!("no answer about the lease"),
            }
            // Not all at the same time.
            sleep(EVERY.mul_f64(0.9 + 0.2 * fastrand::f64())).await;
        }
    }

    async fn try_to_acquire(&mut self) -> kube::Result<Option<Lease>> {
        let now = MicroTime(Timestamp::now());
        let Some(mut lease) = self.leases.get_opt(&self.name).await? else {
            let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
            let lease = Lease { metadata, spec: Some(self.claim(now, 0)) };
            return self.leases.create(&PostParams::default(), &lease).await.map(Some);
        };
        let spec = lease.spec.take().unwrap_or_default();
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        let is_free = holder.is_empty() || holder == self.identity;
        if !is_free && !self.is_expired(&lease, spec.lease_duration_seconds) {
            return Ok(None);
        }
        let transitions = spec.lease_transitions.unwrap_or(0).saturating_add(1);
        lease.spec = Some(self.claim(now, transitions));
        // The version in it lets one of several win.
        self.leases.replace(&self.name, &PostParams::default(), &lease).await.map(Some)
    }

    fn claim(&self, now: MicroTime, transitions: i32) -> LeaseSpec {
        LeaseSpec {
            acquire_time: Some(now.clone()),
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            lease_transitions: Some(transitions),
            renew_time: Some(now),
            ..LeaseSpec::default()
        }
    }

    fn is_expired(&mut self, lease: &Lease, seconds: Option<i32>) -> bool {
        let version = lease.resource_version().unwrap_or_default();
        let duration =
            seconds.and_then(|seconds| u64::try_from(seconds).ok()).map_or(DURATION, Duration::from_secs);
        match &self.seen {
            Some((seen, since)) if *seen == version => since.elapsed() > duration,
            _ => {
                self.seen = Some((version, Instant::now()));
                false
            }
        }
    }

    /// Renews the Lease as long as that works; returns before anybody else can have it.
    async fn hold(&self, lease: &mut Lease, mut renewed: Instant) {
        while renewed.elapsed() < RENEW_WITHIN {
            sleep(EVERY).await;
            let began = Instant::now();
            let until = renewed + RENEW_WITHIN;
            match timeout_at(until, self.renew(lease)).await {
                Ok(Ok(())) => renewed = began,
                Ok(Err(kube::Error::Api(status))) if status.is_conflict() || status.is_not_found() => {
                    // Taken, deleted, or only touched: an earlier attempt may have arrived after all.
                    match timeout_at(until, self.leases.get_opt(&self.name)).await {
                        Ok(Ok(Some(now))) if self.is_holder(&now) => *lease = now,
                        Ok(Ok(_)) => return,
                        _ => {}
                    }
                }
                _ => {}
            }
        }
    }

    fn is_holder(&self, lease: &Lease) -> bool {
        lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_ref()) == Some(&self.identity)
    }

    async fn renew(&self, lease: &mut Lease) -> kube::Result<()> {
        let spec = lease.spec.get_or_insert_default();
        spec.renew_time = Some(MicroTime(Timestamp::now()));
        *lease = self.leases.replace(&self.name, &PostParams::default(), lease).await?;
        Ok(())
    }

    /// Lets others have the Lease at once.
    async fn release(&self, mut lease: Lease) {
        if let Some(spec) = &mut lease.spec {
            spec.holder_identity = Some(String::new());
            spec.lease_duration_seconds = Some(1);
        }
        match timeout(EVERY, self.leases.replace(&self.name, &PostParams::default(), &lease)).await {
            Ok(Ok(_)) => tracing::info!(identity = self.identity, "handed the lease over"),
            // It expires.
            _ => tracing::warn!(identity = self.identity, "failed to hand the lease over"),
        }
    }
}

#[cfg(test)]
mod tests;
