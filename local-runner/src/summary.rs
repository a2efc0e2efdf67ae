//! One line for each batch that has gone through.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::time::{Duration, Instant};

use stage::BatchDone;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::replicas::Counts;
use crate::terminal::Terminal;

/// Prints a line for each batch whose documents are delivered, until no more batches come.
pub(crate) async fn print_each(mut done: UnboundedReceiver<BatchDone>, counts: Counts, terminal: Terminal) {
    let mut journeys = Journeys::default();
    let mut number = 0_u64;
    let mut before = counts.now();
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    loop {
        tokio::select! {
            batch = done.recv() => {
                let Some(batch) = batch else { break };
                if let Some(listed) = listed(&batch) {
                    terminal.expect(listed);
                }
                let Some(journey) = journeys.follow(&batch, Instant::now()) else { continue };
                let now = counts.now();
                let delivered = now.iter().zip(&before).map(|((name, now), (_, before))| (name.clone(), now - before));
                number += 1;
                terminal.print_summary(&Summary { number, journey, delivered: delivered.collect() }.to_string());
                before = now;
            }
            _ = tick.tick() => terminal.progress(total(&counts.now()) - total(&before)),
        }
    }
}

fn listed(batch: &BatchDone) -> Option<u64> {
    batch.from.is_none().then_some(batch.ok).filter(|_| batch.stage == "getdata")
}

fn total(counts: &[(String, u64)]) -> u64 {
    counts.iter().map(|(_, count)| count).sum()
}

/// A batch on its way from name to name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Journey {
    /// How many entries were listed; unknown where someone else dropped the file.
    listed: Option<u64>,
    delivered: u64,
    rejected: u64,
    began: Instant,
    took: Duration,
}

/// The batches under way, by the name under which their last file waits.
#[derive(Debug, Default)]
struct Journeys {
    /// A name is used again once its file is taken.
    under_way: HashMap<String, VecDeque<Journey>>,
}

impl Journeys {
    /// Follows a batch by a stage; returns its journey once that is at its end.
    fn follow(&mut self, batch: &BatchDone, now: Instant) -> Option<Journey> {
        let known = batch.from.as_ref().and_then(|name| {
            let waiting = self.under_way.get_mut(name)?;
            let journey = waiting.pop_front();
            if waiting.is_empty() {
                self.under_way.remove(name);
            }
            journey
        });
        let began = now.checked_sub(batch.elapsed).unwrap_or(now);
        let unknown = || Journey { listed: None, delivered: 0, rejected: 0, began, took: Duration::ZERO };
        let mut journey = known.unwrap_or_else(unknown);
        match batch.stage {
            "getdata" => journey.listed = Some(batch.ok),
            "json-to-api" => journey.delivered = batch.ok,
            _ => {}
        }
        if batch.stage != "getdata" {
            journey.rejected += batch.rejected;
        }
        journey.took = now.saturating_duration_since(journey.began);
        if let Some(name) = &batch.to {
            self.under_way.entry(name.clone()).or_default().push_back(journey);
            return None;
        }
        Some(journey)
    }
}

/// The line.
struct Summary {
    number: u64,
    journey: Journey,
    delivered: Vec<(String, u64)>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Journey { listed, delivered, rejected, took, .. } = &self.journey;
        write!(f, "batch {}: ", self.number)?;
        if let Some(listed) = listed {
            write!(f, "{listed} files listed, ")?;
        }
        let replicas: Vec<String> =
            self.delivered.iter().map(|(name, count)| format!("{name} {count}")).collect();
        write!(f, "{delivered} documents delivered ({}), ", replicas.join(", "))?;
        write!(f, "{rejected} rejected, {:.2} s", took.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(stage: &'static str, from: Option<&str>, to: Option<&str>, ok: u64, rejected: u64) -> BatchDone {
        let name = |name: Option<&str>| name.map(str::to_owned);
        BatchDone { stage, from: name(from), to: name(to), ok, rejected, elapsed: Duration::from_secs(1) }
    }

    #[test]
    fn a_listing_is_followed_to_its_last_document() {
        let (mut journeys, start) = (Journeys::default(), Instant::now() + Duration::from_secs(60));
        let steps = [
            batch("getdata", None, Some("listing.txt"), 10, 0),
            batch("text-to-csv", Some("listing.txt"), Some("listing.csv"), 9, 1),
            // The next listing has the same name.
            batch("getdata", None, Some("listing.txt"), 20, 5),
            batch("csv-to-json", Some("listing.csv"), Some("listing.json"), 9, 0),
        ];
        for step in &steps {
            assert_eq!(journeys.follow(step, start), None);
        }
        let end = start + Duration::from_secs(2);
        let journey = journeys.follow(&batch("json-to-api", Some("listing.json"), None, 7, 2), end).unwrap();
        let summary =
            Summary { number: 1, journey, delivered: vec![("api-1".into(), 3), ("api-2".into(), 4)] };
        let expected =
            "batch 1: 10 files listed, 7 documents delivered (api-1 3, api-2 4), 3 rejected, 3.00 s";
        assert_eq!(summary.to_string(), expected);
    }

    #[test]
    fn a_file_that_someone_dropped_is_summed_up_too() {
        let journey = Journeys::default()
            .follow(&batch("json-to-api", Some("listing-x.json"), None, 1, 0), Instant::now());
        let journey = journey.unwrap();
        assert_eq!((journey.listed, journey.delivered), (None, 1));
    }

    #[test]
    fn a_batch_of_which_nothing_is_left_ends_where_that_is_seen() {
        let journey = Journeys::default()
            .follow(&batch("text-to-csv", Some("listing.txt"), None, 0, 3), Instant::now());
        assert_eq!(journey.unwrap().rejected, 3);
    }
}
