//! Controllers that are killed or refused, at whichever call.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use sequential_job::resource::{Phase, StepPhase};

use crate::cluster::Cluster;
use crate::fake::{Door, Fault};
use crate::sequences::{Adjectives, FAIL, HANG, OK, is_over, sequence, step};

/// Runs that are made at the same time.
const AT_ONCE: usize = 4;

/// A life of a sequence named `sample`, which it comes to the end of however often a controller dies.
#[derive(Debug, Clone, Copy)]
enum Life {
    Undisturbed,
    FailedMendedDeleted,
    SuspendedContinuedChanged,
}

impl Life {
    async fn live(self, cluster: &Cluster) {
        match self {
            Self::Undisturbed => _ = cluster.create(&sequence("sample", &[OK, OK, OK])).await,
            Self::FailedMendedDeleted => {
                cluster.create(&sequence("sample", &[OK, FAIL])).await;
                cluster.until("sample", Phase::Failed).await;
                cluster.change("sample", |one| one.with_step(1, OK)).await;
            }
            Self::SuspendedContinuedChanged => {
                cluster.create(&sequence("sample", &[HANG, OK])).await;
                cluster.until_is("sample", |one| step(one, 0) == StepPhase::Running).await;
                cluster.change("sample", |one| one.suspended(true)).await;
                cluster.until("sample", Phase::Suspended).await;
                cluster
                    .until_job("sample-0", |job| {
                        job.spec.as_ref().and_then(|spec| spec.suspend) == Some(true)
                    })
                    .await;
                cluster.change("sample", |one| one.suspended(false)).await;
                cluster
                    .until_job("sample-0", |job| {
                        job.spec.as_ref().and_then(|spec| spec.suspend) == Some(false)
                    })
                    .await;
                cluster.change("sample", |one| one.with_step(0, OK)).await;
            }
        }
        cluster.until_is("sample", |one| is_over(one, Phase::Succeeded)).await;
        if let Self::FailedMendedDeleted = self {
            cluster.delete("sample").await;
            cluster.until_gone("sample").await;
        }
    }

    /// The Jobs that it makes more than once.
    fn made(self) -> &'static [(&'static str, usize)] {
        match self {
            Self::Undisturbed => &[],
            Self::FailedMendedDeleted => &[("sample-1", 2)],
            Self::SuspendedContinuedChanged => &[("sample-0", 2)],
        }
    }
}

/// Starts controllers at this port, another whenever one has died. It never ends.
async fn replace(cluster: &Cluster, door: &Arc<Door>) {
    loop {
        cluster.controller_at(Some(Arc::clone(door)), &["--leader-election", "false"]).end().await;
    }
}

/// One life, in which a fault hits the n-th call; whether it came to that.
async fn is_hit_at(life: Life, nth: usize, fault: Fault) -> bool {
    let cluster = Cluster::fake().await;
    let door = cluster.as_fake().door().await;
    let (hit, was_hit) = tokio::sync::watch::channel(false);
    door.fault(move |call| {
        let is_due = call.number == nth && !*hit.borrow();
        if is_due {
            hit.send_replace(true);
            return fault;
        }
        Fault::None
    });
    tokio::select! {
        () = life.live(&cluster) => {}
        () = replace(&cluster, &door) => {}
    }
    cluster.check(life.made()).await;
    *was_hit.borrow()
}

async fn at_every_call(life: Life) {
    if Cluster::only_fake("kill at a call").await.is_none() {
        return;
    }
    for fault in [Fault::KillBefore, Fault::KillAfter] {
        let runs = stream::iter(1..).map(|nth| is_hit_at(life, nth, fault)).buffered(AT_ONCE);
        let calls = runs.take_while(|was_hit| std::future::ready(*was_hit)).count().await;
        eprintln!("{life:?}: killed at each of {calls} calls ({fault:?})");
        assert!(calls > 15, "only {calls} calls");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_is_hit_at_any_call_starts_nothing_twice() {
    at_every_call(Life::Undisturbed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_is_hit_at_any_call_resumes_at_the_failed_step_and_deletes_in_order() {
    at_every_call(Life::FailedMendedDeleted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_is_hit_at_any_call_pauses_continues_and_stops_what_changed() {
    at_every_call(Life::SuspendedContinuedChanged).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_refused_is_made_again() {
    if Cluster::only_fake("refuse a call").await.is_none() {
        return;
    }
    for code in [409, 429, 500] {
        let fault = Fault::Refuse(code);
        let runs =
            stream::iter(1..).map(|nth| is_hit_at(Life::Undisturbed, nth, fault)).buffered(2 * AT_ONCE);
        let calls = runs.take_while(|was_hit| std::future::ready(*was_hit)).count().await;
        eprintln!("each of {calls} calls was refused with {code}");
        assert!(calls > 15, "only {calls} calls");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn controllers_that_are_killed_over_and_over_come_to_the_end() {
    let Some(cluster) = Cluster::only_fake("kill at a call").await else { return };
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let door = cluster.as_fake().door().await;
    let mut next = 8;
    door.fault(move |call| {
        if call.number < next {
            return Fault::None;
        }
        // The first four calls of each are lists and watches.
        next = random.usize(6..20);
        if random.bool() { Fault::KillBefore } else { Fault::KillAfter }
    });
    let live = async {
        for life in [Life::FailedMendedDeleted, Life::FailedMendedDeleted] {
            life.live(&cluster).await;
        }
    };
    tokio::select! {
        () = live => {}
        () = replace(&cluster, &door) => {}
    }
    cluster.check(&[("sample-0", 2), ("sample-1", 4)]).await;
}
