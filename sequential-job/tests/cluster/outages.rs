//! API servers that are away, forget, refuse or cut off; controllers that take over from each other.

use std::time::{Duration, Instant};

use kube::api::ListParams;
use sequential_job::resource::{Phase, StepPhase};

use crate::cluster::Cluster;
use crate::controller::Controller;
use crate::fake::{Call, Door};
use crate::sequences::{Adjectives, HANG, OK, is_over, sequence, step};

/// All pauses that grow have come to their longest by then.
const OUTAGE: Duration = Duration::from_secs(240);

/// The longest pause or silence that is waited for, and a machine that is busy.
const GOES_ON_WITHIN: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_while_watches_are_cut_is_seen_after() {
    let Some(cluster) = Cluster::only_fake("cut watches").await else { return };
    let controller = cluster.controller().await;
    cluster.create(&sequence("sample", &[HANG, HANG, HANG])).await;
    for index in 0..3 {
        cluster.until_is("sample", |one| step(one, index) == StepPhase::Running).await;
        if index == 1 {
            // The watches cannot go on where they were.
            cluster.as_fake().compact();
        }
        controller.door().drop_watches();
        cluster.finish(&format!("sample-{index}"), 0);
    }
    cluster.until_is("sample", |one| is_over(one, Phase::Succeeded)).await;
    let lists = controller.door().calls().iter().filter(|call| call.text() == "GET jobs").count();
    assert!(lists >= 2, "versions that are too old were not asked for anew");
    cluster.check(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_while_the_api_server_is_away_is_seen_after() {
    let Some(cluster) = Cluster::only_fake("take the API server away").await else { return };
    let controller = cluster.controller().await;
    cluster.create(&sequence("sample", &[HANG, OK])).await;
    cluster.until_is("sample", |one| step(one, 0) == StepPhase::Running).await;
    controller.door().set_away(true);
    cluster.finish("sample-0", 0);
    controller.door().until_turned_away(3).await;
    controller.door().set_away(false);
    cluster.until_is("sample", |one| is_over(one, Phase::Succeeded)).await;
    cluster.check(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes without an API server: `cargo test -- --ignored`"]
async fn after_minutes_without_an_api_server_the_work_goes_on_at_once() {
    if Cluster::only_fake("take the API server away").await.is_none() {
        return;
    }
    let leave: fn(&Door, bool) = |door, is_away| door.set_away(is_away);
    let fall_silent: fn(&Door, bool) = |door, is_silent| door.set_silent(is_silent);
    let outages = [("away", leave), ("silent", fall_silent)];
    let outages = outages.into_iter().flat_map(|one| ["true", "false"].map(|election| (election, one)));
    let lives = outages.map(|(election, (what, outage))| async move {
        let cluster = Cluster::fake().await;
        let controller = cluster.controller_with(&["--leader-election", election]).await;
        cluster.create(&sequence("sample", &[HANG, OK])).await;
        cluster.until_is("sample", |one| step(one, 0) == StepPhase::Running).await;
        outage(controller.door(), true);
        cluster.finish("sample-0", 0);
        tokio::time::sleep(OUTAGE).await;
        outage(controller.door(), false);
        let back = Instant::now();
        cluster.until_is("sample", |one| is_over(one, Phase::Succeeded)).await;
        eprintln!("{what} for {OUTAGE:?}, election {election}: done after {:?}", back.elapsed());
        assert!(back.elapsed() < GOES_ON_WITHIN);
        cluster.check(&[]).await;
    });
    futures_util::future::join_all(lives).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_controllers_that_do_not_agree_who_leads_start_nothing_twice() {
    let Some(cluster) = Cluster::unattended().await else { return };
    let _both = (cluster.controller().await, cluster.controller().await);
    for number in 0..20 {
        cluster.create(&sequence(&format!("crowd-{number}"), &[OK, OK, OK])).await;
    }
    cluster.until_all(|one| is_over(one, Phase::Succeeded)).await;
    cluster.check(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_cannot_renew_lets_go_and_another_takes_over() {
    let Some(cluster) = Cluster::only_fake("cut one of two off").await else { return };
    let (leader, other) = two(&cluster).await;
    leader.door().set_away(true);
    cluster.finish("sample-0", 0);
    cluster.until_is("sample", |one| is_over(one, Phase::Succeeded)).await;
    leader.door().set_away(false);
    // It comes back to find that it does not lead.
    leader.door().until_called(|call| call.is_of_lease()).await;
    cluster.create(&sequence("another", &[OK])).await;
    cluster.until_is("another", |one| is_over(one, Phase::Succeeded)).await;
    let works = |call: &Call| call.text().contains("another");
    assert!(!leader.door().calls().iter().any(works) && other.door().calls().iter().any(works));
    cluster.check(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_work_of_a_leader_that_is_killed_is_taken_over() {
    let Some(cluster) = Cluster::only_fake("tell who leads by its calls").await else { return };
    let (leader, _other) = two(&cluster).await;
    leader.kill().await;
    cluster.finish("sample-0", 0);
    cluster.until_is("sample", |one| is_over(one, Phase::Succeeded)).await;
    cluster.check(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_told_to_stop_hands_over() {
    let Some(cluster) = Cluster::only_fake("tell who leads by its calls").await else { return };
    let (leader, other) = two(&cluster).await;
    let door = leader.shared_door();
    assert!(leader.stop().await.success());
    assert_eq!(door.calls().last().unwrap().text(), "PUT leases/sequential-job-controller");
    cluster.finish("sample-0", 0);
    cluster.until_is("sample", |one| is_over(one, Phase::Succeeded)).await;
    assert!(other.door().calls().iter().any(|call| !call.is_of_lease()));
    cluster.check(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_decided_on_an_old_view_is_not_done() {
    let Some(cluster) = Cluster::only_fake("keep a watch behind").await else { return };
    let controller = cluster.controller().await;
    cluster.create(&sequence("sample", &[HANG, OK])).await;
    cluster.until_is("sample", |one| step(one, 0) == StepPhase::Running).await;
    // Once it has seen what came later, it has seen its own writes.
    cluster.create(&sequence("later", &[HANG])).await;
    cluster.until_is("later", |one| step(one, 0) == StepPhase::Running).await;
    controller.door().mute(Some("sequentialjobs"));
    cluster.change("sample", |one| one.suspended(true)).await;
    // It sees that the step is complete, but not that no other is to start.
    let refused = controller.door().until_called(|call| call.text() == "PATCH sequentialjobs/sample/status");
    tokio::join!(refused, async { cluster.finish("sample-0", 0) });
    controller.door().mute(None);
    cluster.until("sample", Phase::Suspended).await;
    cluster.until_is("sample", |one| step(one, 0) == StepPhase::Succeeded).await;
    let jobs = cluster.jobs().list(&ListParams::default()).await.unwrap().items;
    assert_eq!(jobs.len(), 2, "a step was started though the sequence is suspended");
    cluster.check(&[]).await;
}

/// Two controllers and a sequence whose first step hangs; the first of them leads.
async fn two(cluster: &Cluster) -> (Controller, Controller) {
    let leader = cluster.controller_with(&[]).await;
    cluster.create(&sequence("sample", &[HANG, OK])).await;
    cluster.until_is("sample", |one| step(one, 0) == StepPhase::Running).await;
    let other = cluster.controller_with(&[]).await;
    other.door().until_called(|call| call.is_of_lease()).await;
    assert!(other.door().calls().iter().all(Call::is_of_lease), "one that does not lead works");
    (leader, other)
}
