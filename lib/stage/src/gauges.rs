//! What is looked at beside the loop: while a long batch is in hand, files come and the volume fills up.

use std::time::{Duration, Instant};

use prometheus::{IntGauge, Registry};
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::debug;
use volume::{Spec, Volume};

use crate::oldest::Oldest;

const EVERY: Duration = Duration::from_secs(5);

/// How many files wait, and since when.
#[derive(Clone)]
pub(crate) struct Inbox {
    pub(crate) files: IntGauge,
    pub(crate) oldest: Oldest,
}

impl Inbox {
    /// Of files that come meanwhile only the loop knows the names: the first one counts from the look that finds any.
    fn set(&self, files: usize, now: Instant) {
        self.files.set(i64::try_from(files).unwrap_or(i64::MAX));
        self.oldest.update(|since| if files == 0 { None } else { since.or(Some(now)) });
    }
}

/// Keeps the metric `pipe_volume_free_bytes` and the inbox's true from now on, until the runtime ends.
pub(crate) async fn watch(
    volume: Volume,
    spec: Spec,
    inbox: Inbox,
    registry: &Registry,
) -> anyhow::Result<()> {
    let free = IntGauge::new("pipe_volume_free_bytes", "What may still be written to the volume")?;
    registry.register(Box::new(free.clone()))?;
    look(&volume, spec, &free, None).await;
    tokio::spawn(async move {
        loop {
            sleep(EVERY).await;
            look(&volume, spec, &free, Some(&inbox)).await;
        }
    });
    Ok(())
}

/// Off the runtime's thread, which probes need: a volume that does not answer holds up nothing but these metrics.
async fn look(volume: &Volume, spec: Spec, free: &IntGauge, inbox: Option<&Inbox>) {
    let (volume, inbox) = (volume.clone(), inbox.cloned());
    let looked = spawn_blocking(move || {
        let bytes = volume.free_bytes()?;
        if let Some(inbox) = inbox {
            inbox.set(volume.waiting(spec)?, Instant::now());
        }
        Ok::<_, volume::Error>(bytes)
    });
    match looked.await {
        Ok(Ok(bytes)) => free.set(i64::try_from(bytes).unwrap_or(i64::MAX)),
        // The metrics keep their values; the loop tells what is wrong with a volume.
        Ok(Err(error)) => debug!(%error, "it is not known how much waits and is free on the volume"),
        Err(error) => debug!(%error, "the look at the volume ended"),
    }
}
