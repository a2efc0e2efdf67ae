//! How documents spread over replicas of the api behind a Service that balances connections.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::net::SocketAddr;

use end_to_end::{Balancer, DataDir, Recorder, Running, api, run, stage, wait_for};

/// New connections within 10 seconds under load, by the contract.
const CONNECTIONS_IN_TEN_SECONDS: usize = 64;
const SAMPLE: usize = 20_000;

/// Waits until as many connections were made as the contract promises for ten seconds, then checks that
/// each of the replicas gets between half and one and a half of its fair share of a sample.
fn assert_fair_soon(balancer: &Balancer, replicas: &[Recorder]) {
    let before = balancer.connections();
    wait_for("new connections", || {
        (balancer.connections() >= before + CONNECTIONS_IN_TEN_SECONDS).then_some(())
    });
    let counts = || -> Vec<usize> { replicas.iter().map(Recorder::count).collect() };
    let start = counts();
    let shares = wait_for("a sample", || {
        let shares: Vec<usize> = counts().iter().zip(&start).map(|(now, start)| now - start).collect();
        (shares.iter().sum::<usize>() >= SAMPLE).then_some(shares)
    });
    let fair = shares.iter().sum::<usize>() / replicas.len();
    let spread = shares.iter().all(|&share| share * 2 >= fair && share * 2 <= fair * 3);
    assert!(spread, "shares of {} replicas: {shares:?}", replicas.len());
}

#[test]
fn each_of_three_and_then_five_replicas_gets_its_share() {
    let data = DataDir::new();
    let documents: String = (0..2_000_000).map(|n| format!("{{\"n\":\"{n}\"}}\n")).collect();
    data.put("listing.json", documents);
    let mut replicas: Vec<Recorder> = (0..3).map(|_| Recorder::start()).collect();
    let addresses =
        |replicas: &[Recorder]| -> Vec<SocketAddr> { replicas.iter().map(Recorder::address).collect() };
    let balancer = Balancer::start(&addresses(&replicas));
    let client = Running::start(&mut stage(
        "json-to-api",
        data.path(),
        &["--api-url", &balancer.url(), "--log-docs", "false"],
    ));
    wait_for("the first posts", || (replicas[0].count() > 0).then_some(()));
    assert_fair_soon(&balancer, &replicas);
    replicas.extend((0..2).map(|_| Recorder::start()));
    balancer.set(&addresses(&replicas));
    assert_fair_soon(&balancer, &replicas);
    client.stop();
}

#[test]
fn a_batch_of_a_thousand_documents_reaches_each_of_five_pods_over_either_version_of_http() {
    const DOCUMENTS: u32 = 1_000;
    for version in ["1", "2"] {
        let pods = [(); 5].map(|()| Running::start(&mut api()));
        let balancer = Balancer::start(&pods.each_ref().map(|pod| pod.address("listening")));
        let data = DataDir::new();
        data.put("listing.json", (0..DOCUMENTS).map(|n| format!("{{\"n\":\"{n}\"}}\n")).collect::<String>());
        let args = ["--once", "--http", version, "--api-url", &balancer.url()];
        run(&mut stage("json-to-api", data.path(), &args));
        let shares = pods.each_ref().map(|pod| pod.metric("api_requests_total").unwrap());
        assert!(shares.iter().all(|share| *share > 0.0), "HTTP/{version}: {shares:?}");
        assert_eq!(shares.iter().sum::<f64>(), f64::from(DOCUMENTS), "HTTP/{version}: {shares:?}");
    }
}
