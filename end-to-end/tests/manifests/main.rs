//! The manifests in `k8s/`: what their schemas cannot say.
//!
//! Every pod is restricted and has time to stop, what refers to something finds it, and the programs themselves are
//! asked whether they know the settings that they are given.
//!
//! - `dashboard.rs`: whom the dashboard asks, and that it only looks
//! - `directory.rs`: reading the manifests
//! - `docs.rs`: the commands that the documentation gives for them
//! - `jobs.rs`: what a Job and a schedule must bound, and the table of `docs/jobs.md`
//! - `multi_node.rs`: what differs where stages run on several nodes
//! - `postgres.rs`: the database that the api may have
//! - `stages.rs`: that no stage is left out, here or elsewhere

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod dashboard;
mod directory;
mod docs;
mod jobs;
mod multi_node;
mod postgres;
mod stages;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};

use end_to_end::{deployed, program};
use serde_json::{Value, json};

use dashboard::behind;
use directory::{Pod, all, documents_of, files, is_applied, list, pods, string};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const USER: u64 = 65532;

/// Seconds that a program may take from SIGTERM to its end.
const STOPPING: u64 = 10;

/// The containers that run a program of ours, with its name.
fn own_containers() -> Vec<(Pod, Value, String)> {
    let mut found = Vec::new();
    for pod in pods() {
        for container in pod.containers() {
            if string(&container["image"]).starts_with("k8s-pipe/") {
                found.push((pod.clone(), container.clone(), string(&container["name"])));
            }
        }
    }
    for program in deployed() {
        assert!(found.iter().any(|(.., name)| name == program), "{program} has no workload");
    }
    found
}

/// The maps from which a container has its variables. What is optional is another installation's.
fn settings_of(container: &Value) -> impl Iterator<Item = &Value> {
    list(&container["envFrom"]).iter().filter(|source| source["secretRef"]["optional"] != true)
}

/// The variables that a container is given.
fn variables(container: &Value) -> BTreeMap<String, String> {
    let maps = all("ConfigMap");
    let mut variables = BTreeMap::new();
    for source in settings_of(container) {
        let map = &maps[&string(&source["configMapRef"]["name"])];
        let data = map["data"].as_object().unwrap();
        for (key, value) in data {
            let earlier = variables.insert(key.clone(), string(value));
            assert_eq!(earlier, None, "{key} is set twice for {}", container["name"]);
        }
    }
    let own = list(&container["env"]).iter();
    variables.extend(own.map(|one| (string(&one["name"]), string(&one["value"]))));
    variables
}

/// What it is started with, in the pod of the number 0 where pods have one.
fn arguments(container: &Value) -> Vec<String> {
    let arguments = list(&container["args"]).iter().map(string);
    arguments.map(|argument| argument.replace("$(JOB_COMPLETION_INDEX)", "0")).collect()
}

fn run(name: &str, variables: &BTreeMap<String, String>, arguments: &[&str]) -> (Output, String) {
    let mut command = Command::new(program(name));
    let output = command.env_clear().envs(variables).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout.clone(), output.stderr.clone()].concat()).into_owned();
    (output, text)
}

fn help(name: &str) -> String {
    run(name, &BTreeMap::new(), &["--help"]).1
}

#[test]
fn kubectl_takes_the_directory_as_it_is() {
    let mut seen = BTreeSet::new();
    for file in files() {
        let at = file.display();
        assert_eq!(file.extension().and_then(|end| end.to_str()), Some("yaml"), "{at}");
        assert_ne!(file.file_stem().unwrap(), "kustomization", "{at}: kubectl apply -f refuses it");
        let documents = documents_of(&file);
        assert!(!documents.is_empty(), "{at} is empty");
        for document in documents {
            let kind = string(&document["kind"]);
            assert!(document["apiVersion"].is_string(), "{at}: {kind} without apiVersion");
            assert_eq!(document["metadata"]["namespace"], Value::Null, "{at}: kubectl -n decides");
            assert_eq!(
                document["metadata"]["labels"]["app.kubernetes.io/part-of"], "k8s-pipe",
                "{at}: {kind}"
            );
            assert!(seen.insert((kind, string(&document["metadata"]["name"]))), "{at}: twice");
        }
    }
}

/// kubectl applies file by file: pods whose account comes later are refused at first, and tried again ever more slowly.
#[test]
fn accounts_and_settings_come_before_the_pods_that_need_them() {
    let mut seen = BTreeSet::new();
    for document in files().iter().filter(|file| is_applied(file)).flat_map(|file| documents_of(file)) {
        let kind = string(&document["kind"]);
        if ["Deployment", "CronJob"].contains(&kind.as_str()) {
            assert!(seen.contains("ServiceAccount") && seen.contains("ConfigMap"), "{kind} before them");
        }
        assert!(!(seen.contains("Deployment") && kind == "ServiceAccount"), "an account after the pods");
        seen.insert(kind);
    }
}

#[test]
fn every_pod_is_restricted_and_has_no_token() {
    for pod in pods() {
        let (at, spec) = (&pod.workload, &pod.spec);
        for host in ["hostNetwork", "hostPID", "hostIPC"] {
            assert_eq!(spec[host], Value::Null, "{at}");
        }
        assert_eq!(spec["automountServiceAccountToken"], false, "{at}");
        assert_eq!(spec["enableServiceLinks"], false, "{at}: a Service's variables are no settings");
        let context = &spec["securityContext"];
        assert_eq!(context["runAsNonRoot"], true, "{at}");
        assert_eq!(context["seccompProfile"], json!({"type": "RuntimeDefault"}), "{at}");
        for id in ["runAsUser", "runAsGroup", "fsGroup"] {
            assert_eq!(context[id], USER, "{at}: {id}");
        }
        for sysctl in list(&context["sysctls"]) {
            assert_eq!(sysctl["name"], "net.ipv4.ip_unprivileged_port_start", "{at}: not known to be safe");
        }
        for volume in list(&spec["volumes"]) {
            assert!(volume["persistentVolumeClaim"].is_object(), "{at}: {volume}");
        }
        for container in pod.containers() {
            let expected = json!({
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]},
            });
            assert_eq!(container["securityContext"], expected, "{at}");
            for port in list(&container["ports"]) {
                assert_eq!(port["hostPort"], Value::Null, "{at}");
            }
        }
    }
}

#[test]
fn every_container_has_requests_and_limits() {
    for pod in pods() {
        for container in pod.containers() {
            for kind in ["requests", "limits"] {
                for resource in ["cpu", "memory"] {
                    let amount = &container["resources"][kind][resource];
                    assert!(amount.is_string(), "{}: {kind} of {resource}", pod.workload);
                }
            }
        }
    }
}

#[test]
fn selectors_choose_the_pods_of_one_workload() {
    let pods = pods();
    let selected = |labels: &Value| -> Vec<String> {
        let chosen = pods.iter().filter(|pod| pod.is_selected_by(labels));
        chosen.map(|pod| pod.workload.clone()).collect()
    };
    for (name, document) in all("Deployment") {
        let own = vec![format!("Deployment {name}")];
        assert_eq!(selected(&document["spec"]["selector"]["matchLabels"]), own);
    }
    for pod in &pods {
        for spread in list(&pod.spec["topologySpreadConstraints"]) {
            let own = vec![pod.workload.clone()];
            assert_eq!(selected(&spread["labelSelector"]["matchLabels"]), own, "{} spreads", pod.workload);
        }
    }
    for (name, service) in all("Service") {
        let own = [format!("Deployment {}", behind(&name))];
        assert_eq!(selected(&service["spec"]["selector"]), own);
    }
    for (name, budget) in all("PodDisruptionBudget") {
        assert_eq!(selected(&budget["spec"]["selector"]["matchLabels"]), [format!("Deployment {name}")]);
    }
    for (name, scaler) in all("HorizontalPodAutoscaler") {
        let target = &scaler["spec"]["scaleTargetRef"];
        assert!(all("Deployment").contains_key(&string(&target["name"])), "{name} scales nothing");
    }
}

/// Else one of them may land on a node where a volume of one node cannot follow.
#[test]
fn the_pods_with_the_volume_and_no_others_go_to_one_node() {
    for pod in pods() {
        let wants = &pod.spec["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
        let Some(want) = list(wants).first() else {
            assert_eq!(pod.spec["volumes"], Value::Null, "{}", pod.workload);
            continue;
        };
        assert_eq!(want["topologyKey"], "kubernetes.io/hostname", "{}", pod.workload);
        for other in pods() {
            let near = other.is_selected_by(&want["labelSelector"]["matchLabels"]);
            assert_eq!(near, other.spec["volumes"].is_array(), "{} near {}", pod.workload, other.workload);
        }
    }
}

#[test]
fn what_a_pod_refers_to_exists() {
    let (accounts, claims) = (all("ServiceAccount"), all("PersistentVolumeClaim"));
    let mut unused: BTreeSet<String> = all("ConfigMap").into_keys().collect();
    for pod in pods() {
        let at = &pod.workload;
        let account = &accounts[&string(&pod.spec["serviceAccountName"])];
        assert_eq!(account["automountServiceAccountToken"], false, "{at}");
        let volumes: Vec<&Value> = list(&pod.spec["volumes"]).iter().map(|volume| &volume["name"]).collect();
        for volume in list(&pod.spec["volumes"]) {
            assert!(claims.contains_key(&string(&volume["persistentVolumeClaim"]["claimName"])), "{at}");
        }
        for container in pod.containers() {
            let mounts: Vec<&Value> =
                list(&container["volumeMounts"]).iter().map(|mount| &mount["name"]).collect();
            assert_eq!(mounts, volumes, "{at}");
            variables(container);
            for source in settings_of(container) {
                unused.remove(&string(&source["configMapRef"]["name"]));
            }
        }
    }
    assert_eq!(unused, BTreeSet::new(), "settings that nobody reads");
}

#[test]
fn the_programs_know_their_settings_and_can_read_them() {
    for (_, container, name) in own_containers() {
        let (help, variables) = (help(&name), variables(&container));
        for variable in variables.keys() {
            assert!(help.contains(&format!("[env: {variable}]")), "{name} knows no {variable}");
        }
        // Settings that cannot be read end with 2; what can be read then finds nobody, and no directory.
        let nowhere: &[&str] = if help.contains("--check-health") {
            &["--check-health", "--admin-listen", "127.0.0.1:1"]
        } else if help.contains("--data-dir") {
            &["--data-dir", "/nonexistent"]
        } else {
            &["--output-dir", "/dev/null/nowhere", "--temp-dir", "/dev/null/nowhere"]
        };
        let arguments = arguments(&container);
        let arguments: Vec<&str> =
            arguments.iter().map(String::as_str).chain(nowhere.iter().copied()).collect();
        let (output, text) = run(&name, &variables, &arguments);
        assert_eq!(output.status.code(), Some(1), "{name}: {text}");
        assert_eq!(container["command"], Value::Null, "{name}: the image says what is run");
    }
}

#[test]
fn the_volume_is_mounted_where_the_programs_look_for_it() {
    for (_, container, name) in own_containers() {
        let directory = list(&container["volumeMounts"]).first().map(|mount| string(&mount["mountPath"]));
        let help = help(&name);
        let default = help
            .split_once("DATA_DIR]")
            .map(|(_, rest)| rest.split_once("[default: ").unwrap().1.split_once(']').unwrap().0.to_owned());
        let variables = variables(&container);
        // Who makes reports of tables knows no volume, and is told where to write.
        let written = variables
            .get("OUTPUT_DIR")
            .and_then(|path| Path::new(path).parent()?.to_str())
            .map(str::to_owned);
        assert_eq!(directory, variables.get("DATA_DIR").cloned().or(default).or(written), "{name}");
    }
}

#[test]
fn images_are_of_this_version() {
    for (pod, container, name) in own_containers() {
        assert_eq!(container["image"], format!("k8s-pipe/{name}:{VERSION}"));
        assert_eq!(container["imagePullPolicy"], "IfNotPresent", "{name}: it may be in no registry");
        assert_eq!(pod.labels["app.kubernetes.io/version"], VERSION, "{name}");
        // What a Deployment selects is its own: a Job of the same program has a name of its own.
        let own_name = &pod.labels["app.kubernetes.io/name"];
        assert!(
            *own_name == name || pod.workload.ends_with(&format!("Job {}", string(own_name))),
            "{own_name}"
        );
    }
    let guide = include_str!("../../../docs/kubernetes.md");
    assert!(guide.contains(&format!("k8s-pipe/$program:{VERSION};")), "docs/kubernetes.md");
    for pod in pods() {
        for container in pod.containers() {
            let image = string(&container["image"]);
            let tag = image.rsplit_once(':').map(|(_, tag)| tag);
            assert!(tag.is_some_and(|tag| tag != "latest"), "{image}");
        }
    }
}

#[test]
fn probes_ask_the_admin_port_what_they_mean_to_know() {
    for (pod, container, name) in own_containers() {
        let ask = |probe: &str| container[format!("{probe}Probe")]["httpGet"].clone();
        if pod.workload.contains("Job ") {
            assert_eq!(container["ports"], Value::Null, "{}: its deadline ends it", pod.workload);
            continue;
        }
        let address = format!("0.0.0.0:{}", pod.port(&json!("admin")).unwrap());
        assert!(help(&name).contains(&format!("[default: {address}")), "{name} is not at {address}");
        assert_eq!(ask("readiness"), json!({"path": "/readyz", "port": "admin"}), "{name}");
        assert_eq!(ask("liveness"), json!({"path": "/healthz", "port": "admin"}), "{name}");
        // A stage whose api is away is not ready: that must not end it.
        let startup = ask("startup");
        assert!(startup.is_null() || startup == ask("liveness"), "{name}: {startup}");
    }
}

#[test]
fn services_and_policies_lead_to_ports_that_are_open() {
    let pods = pods();
    for (name, service) in all("Service") {
        let pod = pods.iter().find(|pod| pod.is_selected_by(&service["spec"]["selector"])).unwrap();
        for port in list(&service["spec"]["ports"]) {
            let target = pod.port(&port["targetPort"]).unwrap_or_else(|| panic!("{name}: {port}"));
            assert!(help(behind(&name)).contains(&format!("[default: 0.0.0.0:{target}")), "{name}: {target}");
            let sysctls = list(&pod.spec["securityContext"]["sysctls"]);
            let from = json!(target.to_string());
            let allowed = sysctls.iter().any(|sysctl| sysctl["value"] == from);
            assert!(target >= 1024 || allowed, "{name}: only root may listen at {target}");
        }
    }
    let ports = |name: &str| -> BTreeSet<u64> {
        let name = json!(name);
        pods.iter().filter_map(|pod| pod.port(&name)).collect()
    };
    let open = &ports("http") | &ports("admin");
    for (name, policy) in all("NetworkPolicy") {
        let spec = &policy["spec"];
        // The programs in the pods that a policy chooses.
        let chosen = |labels: &Value| -> BTreeSet<String> {
            let pods = pods.iter().filter(|pod| pod.is_selected_by(labels));
            pods.flat_map(|pod| pod.containers().map(|one| string(&one["name"])).collect::<Vec<_>>())
                .collect()
        };
        assert!(!chosen(&spec["podSelector"]["matchLabels"]).is_empty(), "{name} protects nobody");
        for rule in list(&spec["ingress"]).iter().chain(list(&spec["egress"])) {
            for peer in list(&rule["from"]).iter().chain(list(&rule["to"])) {
                assert_eq!(chosen(&peer["podSelector"]["matchLabels"]).len(), 1, "{name}: {peer}");
            }
            for port in list(&rule["ports"]) {
                let number = port["port"].as_u64().unwrap();
                // Names, and sources outside of the cluster, over TLS.
                let outside = number == 53 || (number == 443 && rule["to"].is_null());
                assert!(outside || open.contains(&number), "{name}: nobody listens at {number}");
            }
        }
    }
}

/// A Job of the sender has other labels than its Deployment.
#[test]
fn whatever_sends_to_the_api_is_let_out_and_in() {
    let policies = all("NetworkPolicy");
    let way_in = &policies["api"]["spec"]["ingress"][0]["from"][0]["podSelector"]["matchLabels"];
    let way_out = &policies["json-to-api"]["spec"]["podSelector"]["matchLabels"];
    let senders: Vec<Pod> = own_containers()
        .into_iter()
        .filter(|(_, container, _)| variables(container).contains_key("API_URL"))
        .map(|(pod, ..)| pod)
        .collect();
    assert!(senders.len() >= 4, "a Deployment and three drains");
    for pod in senders {
        assert!(pod.is_selected_by(way_in) && pod.is_selected_by(way_out), "{}", pod.workload);
    }
}

#[test]
fn pods_may_finish_and_updates_leave_no_gap() {
    for (pod, _, name) in own_containers() {
        let grace = pod.spec["terminationGracePeriodSeconds"].as_u64().unwrap();
        assert!(grace > STOPPING, "{name} has {grace} s");
    }
    for (name, document) in all("Deployment") {
        let update = &document["spec"]["strategy"]["rollingUpdate"];
        assert_eq!(*update, json!({"maxSurge": 1, "maxUnavailable": 0}), "{name}");
    }
}
