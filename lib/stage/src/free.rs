//! How much room the volume has, looked at beside the loop: a long batch fills it too.

use std::time::Duration;

use prometheus::{IntGauge, Registry};
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::debug;
use volume::Volume;

const EVERY: Duration = Duration::from_secs(5);

/// Keeps the metric `pipe_volume_free_bytes` true from now on, until the runtime ends.
pub(crate) async fn watch(volume: Volume, registry: &Registry) -> anyhow::Result<()> {
    let free = IntGauge::new("pipe_volume_free_bytes", "What may still be written to the volume")?;
    registry.register(Box::new(free.clone()))?;
    look(&volume, &free).await;
    tokio::spawn(async move {
        loop {
            sleep(EVERY).await;
            look(&volume, &free).await;
        }
    });
    Ok(())
}

/// Off the runtime's thread, which probes need: a volume that does not answer holds up nothing but this metric.
async fn look(volume: &Volume, free: &IntGauge) {
    let volume = volume.clone();
    match spawn_blocking(move || volume.free_bytes()).await {
        Ok(Ok(bytes)) => free.set(i64::try_from(bytes).unwrap_or(i64::MAX)),
        // The metric keeps its value; the loop tells what is wrong with a volume.
        Ok(Err(error)) => debug!(%error, "the volume's free space is not known"),
        Err(error) => debug!(%error, "the look at the volume's free space ended"),
    }
}
