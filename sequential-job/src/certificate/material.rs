use std::collections::BTreeMap;

use anyhow::Context as _;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::{SignedDuration, Timestamp, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// When the certificate ends, on the Secret: who renews it need not read certificates.
const NOT_AFTER: &str = "batch.example.com/not-after";

/// When the authority ends.
const AUTHORITY_NOT_AFTER: &str = "batch.example.com/authority-not-after";

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// An authority, and a certificate that it signed; all in PEM.
#[derive(Debug, Clone, PartialEq)]
pub struct Material {
    /// The authority's certificate; behind it an earlier one that is still trusted.
    pub authority: String,
    /// The authority's key.
    pub authority_key: String,
    /// When the authority ends.
    pub authority_not_after: Timestamp,
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
    /// When it ends.
    pub not_after: Timestamp,
}

impl Material {
    /// What a Secret has, where it has all of it.
    pub fn from_secret(secret: &Secret) -> Option<Self> {
        let data = |name: &str| String::from_utf8(secret.data.as_ref()?.get(name)?.0.clone()).ok();
        let time = |name: &str| secret.metadata.annotations.as_ref()?.get(name)?.parse().ok();
        Some(Self {
            authority: data("ca.crt")?,
            authority_key: data("ca.key")?,
            authority_not_after: time(AUTHORITY_NOT_AFTER)?,
            certificate: data("tls.crt")?,
            key: data("tls.key")?,
            not_after: time(NOT_AFTER)?,
        })
    }

    /// A Secret that has it; over `found`, where that is the version that it must still be.
    pub fn to_secret(&self, name: &str, found: Option<&Secret>) -> Secret {
        let data = [
            ("ca.crt", &self.authority),
            ("ca.key", &self.authority_key),
            ("tls.crt", &self.certificate),
            ("tls.key", &self.key),
        ];
        let times = [(NOT_AFTER, self.not_after), (AUTHORITY_NOT_AFTER, self.authority_not_after)];
        Secret {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                resource_version: found.and_then(|found| found.metadata.resource_version.clone()),
                annotations: Some(times.map(|(name, time)| (name.to_owned(), time.to_string())).into()),
                ..ObjectMeta::default()
            },
            data: Some(
                data.map(|(name, text)| (name.to_owned(), ByteString(text.clone().into_bytes())))
                    .into_iter()
                    .collect::<BTreeMap<_, _>>(),
            ),
            // A Secret's type cannot be changed.
            type_: found.map_or(Some("kubernetes.io/tls".to_owned()), |found| found.type_.clone()),
            ..Secret::default()
        }
    }

    /// Whether it is to be renewed.
    pub fn is_due(&self, now: Timestamp) -> bool {
        now + DAY * 30 >= self.not_after
    }

    /// A new certificate for a Service, valid for 90 days; by the authority of `before`, unless that ends within a year.
    ///
    /// # Errors
    /// What `before` has is no key.
    pub fn make(
        before: Option<&Self>,
        service: &str,
        namespace: &str,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let authority = before.filter(|before| now + DAY * 365 < before.authority_not_after);
        let (authority, authority_key, authority_not_after) = match authority {
            Some(same) => {
                let key =
                    KeyPair::from_pem(&same.authority_key).context("failed to read the authority's key")?;
                (same.authority.clone(), key, same.authority_not_after)
            }
            None => new_authority(before, now)?,
        };
        let issuer = Issuer::new(authority_parameters(now, authority_not_after), &authority_key);
        let names =
            [format!("{service}.{namespace}.svc"), format!("{service}.{namespace}.svc.cluster.local")];
        let not_after = now + DAY * 90;
        let mut parameters = CertificateParams::new(names).context("a service's name is no name")?;
        set_validity(&mut parameters, now, not_after);
        parameters.distinguished_name.push(DnType::CommonName, format!("{service}.{namespace}.svc"));
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        parameters.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().context("failed to make a key")?;
        let certificate =
            parameters.signed_by(&key, &issuer).context("failed to sign the certificate")?.pem();
        Ok(Self {
            authority,
            authority_key: authority_key.serialize_pem(),
            authority_not_after,
            certificate,
            key: key.serialize_pem(),
            not_after,
        })
    }
}

fn new_authority(before: Option<&Material>, now: Timestamp) -> anyhow::Result<(String, KeyPair, Timestamp)> {
    let not_after = now + DAY * 3650;
    let key = KeyPair::generate().context("failed to make a key")?;
    let certificate =
        authority_parameters(now, not_after).self_signed(&key).context("failed to sign the authority")?;
    let earlier = before.map(|before| before.authority.as_str()).unwrap_or_default();
    Ok((certificate.pem() + earlier, key, not_after))
}

fn authority_parameters(now: Timestamp, not_after: Timestamp) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    set_validity(&mut parameters, now, not_after);
    parameters.distinguished_name.push(DnType::CommonName, "sequential-job's authority");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters
}

/// In whole days: from yesterday, since clocks differ.
fn set_validity(parameters: &mut CertificateParams, now: Timestamp, not_after: Timestamp) {
    let day = |time: Timestamp| {
        let date = time.to_zoned(TimeZone::UTC).date();
        let [month, day] = [date.month(), date.day()].map(|part| u8::try_from(part).unwrap_or(1));
        rcgen::date_time_ymd(i32::from(date.year()), month, day)
    };
    parameters.not_before = day(now - DAY);
    parameters.not_after = day(not_after + DAY);
}
