//! The dashboard: whom it is told to ask, and what it may do.

use crate::directory::{all, list, pods, string};

/// The program behind a Service: a headless one, which names each of its pods, is called after them.
pub(crate) fn behind(service: &str) -> &str {
    service.strip_suffix("-pods").unwrap_or(service)
}

/// What the dashboard is told to ask are names of the manifests, and lead to all pods.
#[test]
fn the_dashboard_finds_each_pod_and_may_ask_it() {
    let settings = &all("ConfigMap")["dashboard"]["data"];
    let targets: Vec<String> = string(&settings["METRICS"]).split(',').map(str::to_owned).collect();
    assert_eq!(targets.len(), 4);
    let allowed = &all("NetworkPolicy")["dashboard"]["spec"]["egress"][0];
    for target in targets {
        let (program, address) = target.split_once('=').unwrap();
        let (host, port) = address.split_once(':').unwrap();
        let service = &all("Service")[host];
        assert_eq!(service["spec"]["clusterIP"], "None", "{host}");
        assert_eq!(service["spec"]["publishNotReadyAddresses"], true, "{host}");
        assert_eq!((behind(host), service["spec"]["ports"][0]["port"].to_string().as_str()), (program, port));
        let selector = &service["spec"]["selector"];
        let is_let_out =
            list(&allowed["to"]).iter().any(|peer| peer["podSelector"]["matchLabels"] == *selector);
        assert!(is_let_out && allowed["ports"][0]["port"] == port.parse::<u64>().unwrap(), "{program}");
    }
}

#[test]
fn the_dashboard_only_looks_at_the_volume() {
    let pods = pods();
    let page = pods.iter().find(|pod| pod.workload == "Deployment dashboard").unwrap();
    for mount in page.containers().flat_map(|container| list(&container["volumeMounts"])) {
        assert_eq!(mount["readOnly"], true);
    }
    assert_eq!(all("ConfigMap")["dashboard"]["data"]["ALLOW_ACTIONS"], "false");
}
