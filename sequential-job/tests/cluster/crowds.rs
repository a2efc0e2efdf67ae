//! Many sequences at once, and what they cost.

use std::fs;

use kube::ResourceExt;
use sequential_job::resource::{Phase, SequentialJob};

use crate::cluster::Cluster;
use crate::controller::Controller;
use crate::sequences::{Adjectives, HANG, OK, is_over, sequence};

/// The calls about single objects: those that lists, watches and the Lease cost are there without any sequence.
fn work(controller: &Controller) -> usize {
    let calls = controller.door().calls();
    calls
        .iter()
        .filter(|call| !call.is_watch && !call.is_of_lease() && !call.text().ends_with("jobs"))
        .count()
}

/// The resident memory of a process, at most, and without what is mapped from files, in KiB.
fn memory(controller: &Controller) -> (u64, u64) {
    let status = fs::read_to_string(format!("/proc/{}/status", controller.pid().as_raw_nonzero())).unwrap();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    (field("VmHWM:"), field("RssAnon:"))
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_sequences_all_progress_and_a_step_costs_as_many_calls_as_in_one() {
    let Some(cluster) = Cluster::only_fake("count calls").await else { return };
    let controller = cluster.controller().await;
    cluster.create(&sequence("alone", &[OK, OK, OK])).await;
    cluster.until_is("alone", |one| is_over(one, Phase::Succeeded)).await;
    let alone = work(&controller);
    for number in 0..200 {
        cluster.create(&sequence(&format!("crowd-{number}"), &[OK, OK, OK])).await;
    }
    cluster.until_all(|one| is_over(one, Phase::Succeeded)).await;
    let all = work(&controller) - alone;
    eprintln!("calls a sequence of three steps: {alone} alone, {:.2} of 200", all as f64 / 200.0);
    // Who was overtaken by news looks again.
    assert!(all <= 200 * alone * 11 / 10, "{alone} calls alone, {all} of 200");
    cluster.check(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_sequence_costs_no_call() {
    let Some(cluster) = Cluster::only_fake("count calls").await else { return };
    let controller = cluster.controller().await;
    cluster.create(&sequence("finished", &[OK, OK])).await;
    cluster.until_is("finished", |one| is_over(one, Phase::Succeeded)).await;
    let about = |controller: &Controller| {
        controller.door().calls().iter().filter(|call| call.text().contains("finished")).count()
    };
    let before = about(&controller);
    cluster.change("finished", touched).await;
    // What is looked at later has been, so that was it.
    cluster.create(&sequence("later", &[OK, OK])).await;
    cluster.until_is("later", |one| is_over(one, Phase::Succeeded)).await;
    assert_eq!(about(&controller), before);
    cluster.check(&[]).await;
}

fn touched(mut one: SequentialJob) -> SequentialJob {
    one.labels_mut().insert("touched".to_owned(), "true".to_owned());
    one
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "thousands of steps, for a build with optimisations: `cargo test --release -- --ignored`"]
async fn a_thousand_finished_and_a_hundred_running_sequences_fit_into_64_mib() {
    let Some(cluster) = Cluster::only_fake("count calls").await else { return };
    let controller = cluster.controller().await;
    for number in 0..1000 {
        cluster.create(&sequence(&format!("finished-{number}"), &[OK, OK, OK])).await;
    }
    cluster.until_all(|one| is_over(one, Phase::Succeeded)).await;
    for number in 0..100 {
        cluster.create(&sequence(&format!("running-{number}"), &[HANG, OK, OK])).await;
    }
    let is_there = |one: &SequentialJob| one.status.as_ref().is_some_and(|status| status.state.active == 1);
    cluster.until_all(|one| is_there(one) || is_over(one, Phase::Succeeded)).await;
    let before = work(&controller);
    for number in 0..1000 {
        cluster.change(&format!("finished-{number}"), touched).await;
    }
    cluster.create(&sequence("last", &[OK]).suspended(true)).await;
    cluster.until("last", Phase::Suspended).await;
    let mut calls = controller.door().calls();
    calls.retain(|call| call.text().contains("finished"));
    let after_the_end = work(&controller) - before;
    let (most, own) = memory(&controller);
    eprintln!(
        "1,000 finished and 100 running sequences: {most} KiB resident at most; {own} KiB are not of files"
    );
    eprintln!("1,000 finished sequences looked at again: {after_the_end} calls, of which 2 are of another");
    assert!(most < 64 * 1024, "{most} KiB");
    assert!(after_the_end <= 2, "{after_the_end} calls");
    cluster.check(&[]).await;
}
