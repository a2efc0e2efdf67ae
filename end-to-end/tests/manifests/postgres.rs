//! `k8s/postgres`: a database, and how the api's pods come to it.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use end_to_end::{Running, api};
use serde_json::{Value, json};

use crate::directory::{Pod, all, directory, documents_of, list, pods, string};

/// All documents, in the order in which kubectl applies them.
fn database() -> Vec<Value> {
    let files = fs::read_dir(directory().join("postgres")).unwrap();
    let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().flat_map(|file| documents_of(file)).collect()
}

fn of_kind(kind: &str) -> Vec<Value> {
    database().into_iter().filter(|document| document["kind"] == kind).collect()
}

fn one(kind: &str) -> Value {
    let [found] = of_kind(kind).try_into().unwrap_or_else(|found| panic!("{kind}: {found:?}"));
    found
}

fn server() -> Pod {
    let set = one("StatefulSet");
    let template = &set["spec"]["template"];
    Pod {
        workload: "StatefulSet postgres".to_owned(),
        labels: template["metadata"]["labels"].clone(),
        spec: template["spec"].clone(),
    }
}

fn api_pod() -> Pod {
    pods().into_iter().find(|pod| pod.workload == "Deployment api").unwrap()
}

#[test]
fn what_others_need_comes_first_and_is_of_this_project() {
    let documents = database();
    let place = |kind: &str| documents.iter().position(|one| one["kind"] == kind).unwrap();
    assert!(
        ["Secret", "ServiceAccount", "NetworkPolicy"].iter().all(|kind| place(kind) < place("StatefulSet"))
    );
    for document in &documents {
        assert_eq!(document["metadata"]["labels"]["app.kubernetes.io/part-of"], "k8s-pipe", "{document}");
        assert_eq!(document["metadata"]["namespace"], Value::Null, "kubectl -n decides");
    }
}

#[test]
fn its_pod_is_restricted_and_has_limits_probes_and_time_to_stop() {
    let pod = server();
    let context = &pod.spec["securityContext"];
    assert_eq!(context["runAsNonRoot"], true);
    assert_eq!(context["seccompProfile"], json!({"type": "RuntimeDefault"}));
    assert_eq!(pod.spec["automountServiceAccountToken"], false);
    assert_eq!(pod.spec["serviceAccountName"], one("ServiceAccount")["metadata"]["name"]);
    assert!(pod.spec["terminationGracePeriodSeconds"].as_u64().unwrap() >= 60);
    for container in pod.containers() {
        let expected = json!({
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        });
        assert_eq!(container["securityContext"], expected);
        for probe in ["startup", "readiness", "liveness"] {
            let command = list(&container[format!("{probe}Probe")]["exec"]["command"]);
            assert_eq!(command[0], "pg_isready", "{probe}");
            assert!(
                command.contains(&json!("--host=127.0.0.1")),
                "{probe}: it listens on its socket too early"
            );
        }
        for resource in ["cpu", "memory"] {
            for kind in ["requests", "limits"] {
                assert!(container["resources"][kind][resource].is_string(), "{kind} of {resource}");
            }
        }
        let mounted: BTreeSet<_> =
            list(&container["volumeMounts"]).iter().map(|one| string(&one["name"])).collect();
        let claims = one("StatefulSet");
        let claims = list(&claims["spec"]["volumeClaimTemplates"]);
        let volumes = list(&pod.spec["volumes"]).iter().map(|one| string(&one["name"]));
        let expected = volumes.chain(claims.iter().map(|claim| string(&claim["metadata"]["name"])));
        assert_eq!(mounted, expected.collect());
        let directory = list(&container["env"]).iter().find(|one| one["name"] == "PGDATA").unwrap();
        assert!(string(&directory["value"]).starts_with("/var/lib/postgresql/data/"));
    }
}

/// The names in the URL are the server's, and the api can read it.
#[test]
fn the_api_is_given_a_url_that_leads_to_the_server_and_the_password_that_it_has() {
    let (secret, service, pod) = (one("Secret"), one("Service"), server());
    let url = string(&secret["stringData"]["DATABASE_URL"]);
    let expected = format!("postgres://api@{}/documents?", string(&service["metadata"]["name"]));
    assert!(url.starts_with(&expected), "{url}");
    let container = pod.containers().next().unwrap().clone();
    let given = |name: &str| list(&container["env"]).iter().find(|one| one["name"] == name).cloned().unwrap();
    assert_eq!(
        (&given("POSTGRES_USER")["value"], &given("POSTGRES_DB")["value"]),
        (&json!("api"), &json!("documents"))
    );
    let password = &given("POSTGRES_PASSWORD")["valueFrom"]["secretKeyRef"];
    assert_eq!(password["name"], secret["metadata"]["name"]);
    assert!(secret["stringData"][string(&password["key"])].is_string());

    let container = api_pod().containers().next().unwrap().clone();
    let sources: Vec<&Value> =
        list(&container["envFrom"]).iter().filter(|source| source["secretRef"].is_object()).collect();
    let optional = json!({"secretRef": {"name": secret["metadata"]["name"], "optional": true}});
    assert_eq!(sources, [&optional], "without the database the api starts as it is");

    let variables =
        secret["stringData"].as_object().unwrap().iter().map(|(name, value)| (name, string(value)));
    let mut command: Command = api();
    // Names of this cluster lead nowhere.
    let running = Running::start(command.envs(variables));
    running.wait_for_log("the database is away");
    assert_eq!(running.ask("/readyz").0, 503);
    running.stop();
}

#[test]
fn only_the_api_is_let_out_and_in() {
    let (server, api) = (server(), api_pod());
    let service = one("Service");
    assert!(server.is_selected_by(&service["spec"]["selector"]));
    assert_eq!(server.port(&service["spec"]["ports"][0]["targetPort"]), Some(5432));
    assert!(server.is_selected_by(&one("StatefulSet")["spec"]["selector"]["matchLabels"]));
    assert!(pods().iter().all(|pod| !pod.is_selected_by(&service["spec"]["selector"])));
    let policies = of_kind("NetworkPolicy");
    for (policy, direction, peers, from, to) in
        [(&policies[0], "ingress", "from", &api, &server), (&policies[1], "egress", "to", &server, &api)]
    {
        assert!(to.is_selected_by(&policy["spec"]["podSelector"]["matchLabels"]), "{direction}");
        let rule = &policy["spec"][direction][0];
        let [peer] = list(&rule[peers]) else { panic!("{direction}: {rule}") };
        assert!(from.is_selected_by(&peer["podSelector"]["matchLabels"]), "{direction}");
        assert_eq!(rule["ports"], json!([{"protocol": "TCP", "port": 5432}]));
    }
    // Else each would undo what the other says.
    let applied = all("NetworkPolicy");
    assert!(policies.iter().all(|policy| !applied.contains_key(&string(&policy["metadata"]["name"]))));
    let nothing = &applied["nothing"]["spec"]["podSelector"]["matchLabels"];
    assert!(server.is_selected_by(nothing), "what is not allowed to it is forbidden");
}
