//! Sequences whose steps do what their arguments say, on the fake as in a shell.

use kube::ResourceExt;
use sequential_job::resource::{Phase, RETRY_ANNOTATION, SequentialJob, StepPhase};
use serde_json::{Value, json};

/// Does nothing and ends well.
pub(crate) const OK: &[&str] = &[];

/// Does not end by itself.
pub(crate) const HANG: &[&str] = &["--hang"];

/// Fails, and says why.
pub(crate) const FAIL: &[&str] = &["--message", "no space left", "--exit", "3"];

/// What runs a step where there are real pods.
const SHELL: &str = r#"
code=0
while [ $# -gt 0 ]; do
    case $1 in
        --exit) code=$2; shift ;;
        --message) printf %s "$2" > /dev/termination-log; shift ;;
        --hang) exec sleep 1000000 ;;
    esac
    shift
done
exit $code
"#;

/// A sequence whose steps have these arguments.
pub(crate) fn sequence(name: &str, steps: &[&[&str]]) -> SequentialJob {
    let containers: Vec<Value> =
        steps.iter().enumerate().map(|(index, args)| container(index, args)).collect();
    serde_json::from_value(json!({
        "apiVersion": "batch.example.com/v1alpha1", "kind": "SequentialJob", "metadata": {"name": name},
        "spec": {
            "containers": containers, "backoffLimit": 0, "template": {"spec": {"terminationGracePeriodSeconds": 0}},
        },
    }))
    .unwrap()
}

fn container(index: usize, args: &[&str]) -> Value {
    let image = std::env::var("STEP_IMAGE").unwrap_or_else(|_| "busybox:1.37".to_owned());
    json!({"name": format!("step-{index}"), "image": image, "command": ["sh", "-c", SHELL, "step"], "args": args})
}

/// What a test makes of a sequence, or of one that is there.
pub(crate) trait Adjectives: Sized {
    /// With other arguments for a step.
    fn with_step(self, index: usize, args: &[&str]) -> Self;
    /// Paused, or not.
    fn suspended(self, suspend: bool) -> Self;
    /// To be tried again.
    fn retried(self, value: &str) -> Self;
    /// With a status that says this of its step.
    fn with_status_step(self, step: &str) -> Self;
}

impl Adjectives for SequentialJob {
    fn with_step(mut self, index: usize, args: &[&str]) -> Self {
        self.spec.containers[index] = serde_json::from_value(container(index, args)).unwrap();
        self
    }

    fn suspended(mut self, suspend: bool) -> Self {
        self.spec.suspend = Some(suspend);
        self
    }

    fn retried(mut self, value: &str) -> Self {
        self.annotations_mut().insert(RETRY_ANNOTATION.to_owned(), value.to_owned());
        self
    }

    fn with_status_step(mut self, step: &str) -> Self {
        self.status.get_or_insert_default().step = step.to_owned();
        self
    }
}

/// The controller has nothing more to do with it.
pub(crate) fn is_over(one: &SequentialJob, phase: Phase) -> bool {
    one.status.as_ref().is_some_and(|status| status.phase == phase) && one.finalizers().is_empty()
}

/// The phase of a step.
pub(crate) fn step(one: &SequentialJob, index: usize) -> StepPhase {
    one.status
        .as_ref()
        .and_then(|status| status.steps.get(index))
        .map_or(StepPhase::Pending, |step| step.phase)
}
