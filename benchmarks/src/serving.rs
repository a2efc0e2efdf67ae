//! The api beside a server that does no more than it must, both under wrk.

use std::time::Duration;

use anyhow::ensure;

use crate::goals;
use crate::measure::{Cores, interleave};
use crate::place::Place;
use crate::report::{Row, Section};
use crate::samples::{Samples, Unit};
use crate::service::{Api, Load, start_raw};

const ABOUT: &str = "Requests a second over 64 connections that stay open, a document of 210 bytes each; \
    the server on one core, wrk on the other. The raw server reads \
    with epoll, looks for a request's end and writes the api's own reply, made beforehand.";

pub(crate) fn run(place: &Place) -> anyhow::Result<Section> {
    let load = Load::new(place, Duration::from_secs(3))?;
    let [ours, raw] = measure(place, &load, Cores::First, Cores::Second)?;
    Ok(Section {
        title: "Serving",
        about: ABOUT.to_owned(),
        rows: vec![Row::ratio("api", &ours, "raw epoll server", &raw).goal(goals::API)],
        commands: &[
            ("api", "api --listen ADDRESS --admin-listen ADDRESS"),
            ("raw", "benchmarks peer epoll ADDRESS reply"),
            ("wrk", "wrk -t1 -c64 -d3s -s benchmarks/peers/post.lua URL"),
        ],
    })
}

fn measure(place: &Place, load: &Load, server: Cores, client: Cores) -> anyhow::Result<[Samples; 2]> {
    let runs = interleave(
        place.rounds,
        [
            &mut || {
                let api = Api::start(place, server)?;
                let rate = load.wrk(client, &api.url())?;
                counted(&api, rate * load.seconds())?;
                Ok(rate)
            },
            &mut || {
                // The api's own reply is the same every time, but for its date.
                let reply = Api::start(place, server)?.reply()?;
                let (_running, address) = start_raw(place, server, &reply)?;
                load.wrk(client, &format!("http://{address}"))
            },
        ],
    )?;
    Ok(runs.map(|rates| Samples::new(Unit::PerSecond, rates)))
}

/// Whether the api has counted about so many requests: wrk's clock is not its own.
fn counted(api: &Api, expected: f64) -> anyhow::Result<()> {
    let counted = api.requests()? as f64;
    ensure!((0.9..1.1).contains(&(counted / expected)), "the api counted {counted} requests, wrk {expected}");
    Ok(())
}
