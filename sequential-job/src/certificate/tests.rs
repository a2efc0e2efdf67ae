use k8s_openapi::jiff::SignedDuration;
use serde_json::json;

use super::*;

fn now() -> Timestamp {
    "2024-01-15T10:00:00Z".parse().unwrap()
}

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

fn made(before: Option<&Material>, now: Timestamp) -> Material {
    Material::make(before, SERVICE, "here", now).unwrap()
}

#[test]
fn a_certificate_is_served_as_soon_as_it_is_set_and_only_with_its_own_key() {
    let (one, other) = (made(None, now()), made(None, now()));
    let resolver = Resolver::default();
    resolver.set(&one.certificate, &one.key).unwrap();
    let error = resolver.set(&one.certificate, &other.key).unwrap_err();
    assert_eq!(error.to_string(), "the certificate and its key are not for each other");
}

#[test]
fn it_is_renewed_a_month_before_its_end_by_the_same_authority() {
    let first = made(None, now());
    assert_eq!(first.not_after, now() + days(90));
    assert!(!first.is_due(now() + days(59)));
    assert!(first.is_due(now() + days(60)));
    let second = made(Some(&first), now() + days(60));
    assert_eq!((&second.authority, &second.authority_key), (&first.authority, &first.authority_key));
    assert_ne!(second.certificate, first.certificate);
    assert_eq!(second.not_after, now() + days(150));
}

#[test]
fn another_authority_leaves_the_earlier_one_trusted() {
    let first = made(None, now());
    let second = made(Some(&first), now() + days(3650 - 365));
    assert_ne!(second.authority_key, first.authority_key);
    assert!(second.authority.ends_with(&first.authority) && second.authority.len() > first.authority.len());
}

#[test]
fn a_secret_has_all_of_it_and_keeps_its_version() {
    let material = made(None, now());
    let mut secret = material.to_secret(SECRET, None);
    assert_eq!(Material::from_secret(&secret), Some(material.clone()));
    assert_eq!(secret.type_.as_deref(), Some("kubernetes.io/tls"));
    secret.metadata.resource_version = Some("7".to_owned());
    let renewed = material.to_secret(SECRET, Some(&secret));
    assert_eq!(renewed.metadata.resource_version.as_deref(), Some("7"));
    secret.data.as_mut().unwrap().remove("ca.key");
    assert_eq!(Material::from_secret(&secret), None);
}

#[test]
fn only_webhooks_that_trust_another_authority_are_patched() {
    let configuration = json!({"webhooks": [
        {"name": "a", "clientConfig": {"caBundle": "eA=="}},
        {"name": "b", "clientConfig": {}},
    ]});
    let expected = json!([
        {"op": "test", "path": "/webhooks/1/name", "value": "b"},
        {"op": "add", "path": "/webhooks/1/clientConfig/caBundle", "value": "eA=="},
    ]);
    assert_eq!(serde_json::Value::Array(bundle::operations(&configuration, "x")), expected);
}
