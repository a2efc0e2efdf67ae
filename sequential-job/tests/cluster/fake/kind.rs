//! The kinds that are served, and how their addresses are read.

/// A kind of objects.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) group_version: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) name: &'static str,
    /// Whether `/status` is an address of its own, the only one at which the status can be written.
    pub(crate) has_status: bool,
}

const fn kind(
    group_version: &'static str,
    plural: &'static str,
    name: &'static str,
    has_status: bool,
) -> Kind {
    Kind { group_version, plural, name, has_status }
}

pub(crate) static KINDS: [Kind; 9] = [
    kind("batch.example.com/v1alpha1", "sequentialjobs", "SequentialJob", true),
    kind("batch/v1", "jobs", "Job", true),
    kind("v1", "pods", "Pod", true),
    kind("v1", "secrets", "Secret", false),
    kind("events.k8s.io/v1", "events", "Event", false),
    kind("coordination.k8s.io/v1", "leases", "Lease", false),
    kind(
        "admissionregistration.k8s.io/v1",
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        false,
    ),
    kind(
        "admissionregistration.k8s.io/v1",
        "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration",
        false,
    ),
    kind("apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition", true),
];

/// The kind of this plural.
pub(crate) fn of(plural: &str) -> &'static Kind {
    KINDS.iter().find(|kind| kind.plural == plural).expect("a kind that is served")
}

/// Where an object is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) plural: &'static str,
    /// Empty: of the cluster.
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    pub(crate) fn new(plural: &'static str, namespace: &str, name: &str) -> Self {
        Self { plural, namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

/// What an address names.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) plural: &'static str,
    /// None: all.
    pub(crate) namespace: Option<String>,
    /// None: all.
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
}

impl Address {
    /// Such as `/apis/batch/v1/namespaces/default/jobs/one/status`.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let mut rest = path.trim_matches('/').split('/').peekable();
        let group_version = match rest.next()? {
            "api" => rest.next()?.to_owned(),
            "apis" => format!("{}/{}", rest.next()?, rest.next()?),
            _ => return None,
        };
        let namespace = match rest.next_if_eq(&"namespaces") {
            Some(_) => Some(rest.next()?.to_owned()),
            None => None,
        };
        let plural = rest.next()?;
        let kind = KINDS.iter().find(|kind| kind.plural == plural && kind.group_version == group_version)?;
        let (name, subresource) = (rest.next().map(str::to_owned), rest.next().map(str::to_owned));
        Some(Self { plural: kind.plural, namespace, name, subresource })
    }

    /// Where the object is that is named here.
    pub(crate) fn key(&self) -> Option<Key> {
        Some(Key::new(self.plural, self.namespace.as_deref().unwrap_or_default(), self.name.as_deref()?))
    }

    pub(crate) fn is_status(&self) -> bool {
        self.subresource.as_deref() == Some("status")
    }
}

impl crate::history::Change {
    /// Where its object is.
    pub(crate) fn key(&self) -> Key {
        let text = |field: &str| self.object["metadata"][field].as_str().unwrap_or_default();
        Key::new(self.plural, text("namespace"), text("name"))
    }
}
