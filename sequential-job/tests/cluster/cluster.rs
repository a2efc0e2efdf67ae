//! An API server as a scenario sees it, whichever it is.

use std::fmt::Debug;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::events::v1::Event;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, ObjectMeta, PostParams};
use kube::runtime::wait::{Condition, await_condition};
use kube::{Api, Client, Config, Resource, ResourceExt};
use sequential_job::resource::{Phase, SequentialJob};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::controller::Controller;
use crate::fake::{Door, Exit, Fake};
use crate::history::{self, Change};
use crate::recorder::Recorder;

/// How long anything may take: far longer than any machine needs, however busy it is.
const PATIENCE: Duration = Duration::from_secs(300);

/// How often a crowd is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

enum Server {
    Fake(Fake),
    Real {
        recorder: Recorder,
        kubeconfig: String,
        /// Controllers are there already.
        is_deployed: bool,
    },
}

/// A namespace of an API server, for one scenario.
pub(crate) struct Cluster {
    client: Client,
    namespace: String,
    server: Server,
    directory: TempDir,
    controllers: AtomicUsize,
}

impl Cluster {
    /// The real one where there is one, else a fake one.
    pub(crate) async fn start() -> Self {
        match std::env::var("KUBECONFIG") {
            Ok(kubeconfig) if !kubeconfig.is_empty() => Self::real(kubeconfig).await,
            _ => Self::fake().await,
        }
    }

    /// One whose sequences nobody else writes to; none where controllers are deployed.
    pub(crate) async fn unattended() -> Option<Self> {
        let cluster = Self::start().await;
        if let Server::Real { is_deployed: true, .. } = cluster.server {
            eprintln!("skipped: controllers are deployed, which write to all sequences");
            cluster.check(&[]).await;
            return None;
        }
        Some(cluster)
    }

    /// A fake one; none where a real one is meant, which cannot do `what`.
    pub(crate) async fn only_fake(what: &str) -> Option<Self> {
        if std::env::var_os("KUBECONFIG").is_some_and(|path| !path.is_empty()) {
            eprintln!("skipped: on a real API server nobody can {what}");
            return None;
        }
        Some(Self::fake().await)
    }

    /// A fake one.
    pub(crate) async fn fake() -> Self {
        let fake = Fake::start();
        let door = fake.door().await;
        let url = format!("http://{}", door.address).parse().unwrap();
        let client = Client::try_from(Config::new(url)).unwrap();
        Self::new(client, "default".to_owned(), Server::Fake(fake))
    }

    async fn real(kubeconfig: String) -> Self {
        let client = Client::try_default().await.unwrap();
        let metadata = ObjectMeta { generate_name: Some("sequences-".to_owned()), ..ObjectMeta::default() };
        let namespace = Namespace { metadata, ..Namespace::default() };
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let namespace = namespaces.create(&PostParams::default(), &namespace).await.unwrap().name_any();
        let recorder = Recorder::start(&client, &namespace).await;
        let deployments: Api<Deployment> = Api::namespaced(client.clone(), "sequential-operator-system");
        let deployment = deployments.get_opt("sequential-operator-controller-manager").await.unwrap();
        let is_deployed =
            deployment.and_then(|one| one.status?.ready_replicas).is_some_and(|ready| ready > 0);
        eprintln!(
            "in namespace {namespace}, by controllers that are {}",
            if is_deployed { "deployed" } else { "our own" }
        );
        Self::new(client, namespace, Server::Real { recorder, kubeconfig, is_deployed })
    }

    fn new(client: Client, namespace: String, server: Server) -> Self {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        Self { client, namespace, server, directory, controllers: AtomicUsize::new(0) }
    }

    /// What only the fake can do.
    pub(crate) fn as_fake(&self) -> &Fake {
        match &self.server {
            Server::Fake(fake) => fake,
            Server::Real { .. } => panic!("a scenario of the fake alone"),
        }
    }

    /// A controller that need not agree with another.
    pub(crate) async fn controller(&self) -> Controller {
        self.controller_with(&["--leader-election", "false"]).await
    }

    /// A controller of these arguments, with a port of its own.
    pub(crate) async fn controller_with(&self, arguments: &[&str]) -> Controller {
        let door = match &self.server {
            Server::Fake(fake) => Some(fake.door().await),
            Server::Real { .. } => None,
        };
        self.controller_at(door, arguments)
    }

    /// A controller that comes through this port.
    pub(crate) fn controller_at(&self, door: Option<Arc<Door>>, arguments: &[&str]) -> Controller {
        if let Server::Real { is_deployed: true, .. } = self.server {
            return Controller::deployed();
        }
        let number = self.controllers.fetch_add(1, Ordering::Relaxed);
        let kubeconfig = match (&self.server, &door) {
            (Server::Real { kubeconfig, .. }, _) => kubeconfig.clone(),
            (_, door) => {
                let path = self.directory.path().join(format!("kubeconfig-{number}"));
                fs::write(&path, kubeconfig(door.as_ref().expect("a port of the fake"))).unwrap();
                path.to_str().unwrap().to_owned()
            }
        };
        let name = format!("controller-{number}");
        let mut all =
            vec!["--namespace", &self.namespace, "--watch-namespace", &self.namespace, "--pod-name", &name];
        all.extend(arguments);
        Controller::start(&all, &kubeconfig, self.directory.path().join(format!("log-{number}")), door)
    }

    fn api<K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(crate) fn sequences(&self) -> Api<SequentialJob> {
        self.api()
    }

    pub(crate) fn jobs(&self) -> Api<Job> {
        self.api()
    }

    pub(crate) async fn create(&self, sequence: &SequentialJob) -> SequentialJob {
        self.sequences().create(&PostParams::default(), sequence).await.unwrap()
    }

    /// Creates a sequence as it is written, whatever its types say.
    pub(crate) async fn create_raw(&self, sequence: Value) {
        let kind = ApiResource::erase::<SequentialJob>(&());
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &kind);
        api.create(&PostParams::default(), &serde_json::from_value(sequence).unwrap()).await.unwrap();
    }

    /// What is of no namespace, or of another.
    pub(crate) fn client(&self) -> (Client, &str) {
        (self.client.clone(), &self.namespace)
    }

    /// Changes what is there, as `kubectl edit` does.
    pub(crate) async fn change(&self, name: &str, change: impl Fn(SequentialJob) -> SequentialJob) {
        loop {
            let mut now = change(self.sequences().get(name).await.unwrap());
            now.metadata.managed_fields = None;
            match self.sequences().replace(name, &PostParams::default(), &now).await {
                Err(kube::Error::Api(status)) if status.is_conflict() => {}
                other => {
                    other.unwrap();
                    return;
                }
            }
        }
    }

    pub(crate) async fn delete(&self, name: &str) {
        self.sequences().delete(name, &DeleteParams::background()).await.unwrap();
    }

    /// Deletes a Job as `kubectl delete` does.
    pub(crate) async fn delete_job(&self, name: &str) {
        self.jobs().delete(name, &DeleteParams::background()).await.unwrap();
    }

    /// Ends a Job that hangs; whether that can be done here.
    pub(crate) fn finish(&self, job: &str, code: i64) -> bool {
        let Server::Fake(fake) = &self.server else { return false };
        fake.finish(&self.namespace, job, &Exit { code, message: String::new() });
        true
    }

    /// Waits until a sequence is in a phase.
    pub(crate) async fn until(&self, name: &str, phase: Phase) -> SequentialJob {
        let is = move |one: Option<&SequentialJob>| {
            one.and_then(|one| one.status.as_ref()).is_some_and(|status| status.phase == phase)
        };
        await_one(self.sequences(), name, is).await.expect("a sequence, which has a phase")
    }

    /// Waits until a sequence is as `is` says.
    pub(crate) async fn until_is(&self, name: &str, is: impl Fn(&SequentialJob) -> bool) -> SequentialJob {
        await_one(self.sequences(), name, |one: Option<&SequentialJob>| one.is_some_and(&is))
            .await
            .expect("a sequence")
    }

    /// Waits until a sequence is gone.
    pub(crate) async fn until_gone(&self, name: &str) {
        await_one(self.sequences(), name, |one: Option<&SequentialJob>| one.is_none()).await;
    }

    /// Waits until all sequences are as `is` says.
    pub(crate) async fn until_all(&self, is: impl Fn(&SequentialJob) -> bool) {
        loop {
            let began = Instant::now();
            if self.sequences().list(&ListParams::default()).await.unwrap().items.iter().all(&is) {
                return;
            }
            // A look at thousands must not take the machine that they run on.
            tokio::time::sleep(LOOK_EVERY.max(4 * began.elapsed())).await;
        }
    }

    /// Waits until a Job is as `is` says, which is given none where there is none.
    pub(crate) async fn until_job_is(&self, name: &str, is: impl Fn(Option<&Job>) -> bool) -> Option<Job> {
        await_one(self.jobs(), name, is).await
    }

    /// Waits until a Job is gone.
    pub(crate) async fn until_job_gone(&self, name: &str) {
        self.until_job_is(name, |one| one.is_none()).await;
    }

    /// Waits until a Job is as `is` says.
    pub(crate) async fn until_job(&self, name: &str, is: impl Fn(&Job) -> bool) -> Job {
        self.until_job_is(name, |one| one.is_some_and(&is)).await.expect("a job")
    }

    /// The reasons and notes of a sequence's events, in their order.
    pub(crate) async fn events(&self, name: &str) -> Vec<(String, String)> {
        let events = self.api::<Event>().list(&ListParams::default()).await.unwrap();
        let mut mine: Vec<Event> = events.items;
        mine.retain(|event| event.regarding.as_ref().and_then(|about| about.name.as_deref()) == Some(name));
        mine.sort_by_key(|event| event.event_time.as_ref().map(|time| time.0));
        mine.into_iter()
            .map(|event| (event.reason.unwrap_or_default(), event.note.unwrap_or_default()))
            .collect()
    }

    /// All that has happened to sequences and Jobs.
    pub(crate) async fn history(&self) -> Vec<Change> {
        match &self.server {
            Server::Fake(fake) => fake.history(),
            Server::Real { recorder, .. } => recorder.history(&self.client, &self.namespace).await,
        }
    }

    /// Checks that what must hold has held all the time; all Jobs were made once but for those in `made`.
    pub(crate) async fn check(self, made: &[(&str, usize)]) {
        history::check(&self.history().await, made);
        if let Server::Real { .. } = self.server {
            let namespaces: Api<Namespace> = Api::all(self.client.clone());
            namespaces.delete(&self.namespace, &DeleteParams::background()).await.unwrap();
        }
    }
}

async fn await_one<K>(api: Api<K>, name: &str, is: impl Condition<K>) -> Option<K>
where
    K: Clone + Debug + Send + DeserializeOwned + Resource + 'static,
{
    match tokio::time::timeout(PATIENCE, await_condition(api.clone(), name, is)).await {
        Ok(found) => found.unwrap(),
        Err(_) => panic!("waited in vain for `{name}`: {:#?}", api.get_opt(name).await),
    }
}

fn kubeconfig(door: &Door) -> String {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "fake",
        "clusters": [{"name": "fake", "cluster": {"server": format!("http://{}", door.address)}}],
        "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "nobody"}}],
        "users": [{"name": "nobody", "user": {}}],
    })
    .to_string()
}
