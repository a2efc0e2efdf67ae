//! What tells a changed step.
//!
//! A hash has two halves. The first is of the step's own: its container and its settings; a step that is done stays done
//! as long as they are the same. The second is of what the pods of all steps share, and of `backoffLimit`: a step that
//! runs or failed is run again where either half is another.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::jobs;
use crate::resource::SequentialJobSpec;

/// The hash of the step at `index`.
pub fn of_step(spec: &SequentialJobSpec, index: usize) -> String {
    let container = &spec.containers[index];
    let own = short(&(container, spec.settings_of(&container.name)));
    let shared = short(&(jobs::shared_template(spec), jobs::backoff_limit(spec)));
    format!("{own}-{shared}")
}

/// Whether the step's own half is the same.
pub fn has_same_own_half(one: &str, other: &str) -> bool {
    one.split('-').next() == other.split('-').next()
}

/// 40 bits of a text's hash, for a shortened name.
pub fn of_name(name: &str) -> String {
    hex(&Sha256::digest(name), 5)
}

fn short(value: &impl Serialize) -> String {
    let json = serde_json::to_vec(value).expect("maps have strings as keys");
    hex(&Sha256::digest(json), 8)
}

fn hex(bytes: &[u8], count: usize) -> String {
    bytes.iter().take(count).map(|byte| format!("{byte:02x}")).collect()
}
