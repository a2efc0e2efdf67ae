//! Names on the volume: the public ones that people see, and those of claims.
//!
//! A public file is `<stem>.<ext>` or `<stem>-<id>.<ext>`, an id being 1 to 64 characters of
//! `[A-Za-z0-9_-]`, with `.gz` or `.zst` behind it where it is compressed. The plain name is taken first, then ids in byte
//! order; of names that differ in nothing else, the one that is not compressed. A stem has no `-`, so that no name is of two.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use crate::Spec;
use crate::compression::Compression;

/// The stem of a stage that was given none.
pub const DEFAULT_STEM: &str = "listing";

const MAX_ID: usize = 64;
const MAX_STEM: usize = 64;
/// The letters of an id in byte order.
const ALPHABET: &[u8] = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

/// Why a text is no stem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a stem is 1 to {MAX_STEM} characters of A-Za-z0-9_ (and no -, which parts it from an id: \
     else `a-b.csv` could be a file of two stems)"
)]
pub struct StemError;

/// Reads a stem, which lives as long as the program: what it works on has one.
///
/// # Errors
/// It is none.
pub fn stem(text: &str) -> Result<&'static str, StemError> {
    if text == DEFAULT_STEM {
        return Ok(DEFAULT_STEM);
    }
    let fits = (1..=MAX_STEM).contains(&text.len());
    if !fits || !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(StemError);
    }
    Ok(Box::leak(text.into()))
}

/// What tells a public name from others of its format; ordered as files are taken.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PublicName {
    /// The plain name has none and sorts first.
    pub(crate) id: Option<String>,
    pub(crate) compression: Compression,
}

impl PublicName {
    /// The name that has this id, of a file that is not compressed.
    pub(crate) fn with_id(id: impl Into<String>) -> Self {
        PublicName { id: Some(id.into()), compression: Compression::None }
    }

    /// The name that is the batch's own.
    pub(crate) fn of(batch: Uuid) -> Self {
        PublicName::with_id(batch.to_string())
    }

    /// The same for a file that is compressed so.
    pub(crate) fn compressed(self, compression: Compression) -> Self {
        PublicName { compression, ..self }
    }
}

/// What the public names of one kind of file have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Format {
    stem: &'static str,
    extension: &'static str,
}

impl Spec {
    /// What the stage takes.
    pub(crate) fn takes(self) -> Option<Format> {
        self.input.map(|extension| Format { stem: self.stem, extension })
    }

    /// What the stage publishes.
    pub(crate) fn gives(self) -> Option<Format> {
        self.output.map(|extension| Format { stem: self.stem, extension })
    }

    /// The name of its claims' directory. Where the stem is the default it is what it was before there were others, so
    /// that a newer program finds what an older one left.
    pub(crate) fn claims(self) -> String {
        let Spec { name, stem, .. } = self;
        if stem == DEFAULT_STEM { name.to_owned() } else { format!("{name}.{stem}") }
    }
}

impl Format {
    /// Reads a name; `None` where it is none of this format's.
    pub(crate) fn parse(self, name: &OsStr) -> Option<PublicName> {
        let (name, compression) = Compression::split(name.to_str()?);
        let rest = name.strip_prefix(self.stem)?.strip_suffix(self.extension)?.strip_suffix('.')?;
        if rest.is_empty() {
            return Some(PublicName { id: None, compression });
        }
        let id = rest.strip_prefix('-')?;
        let fits = (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|b| ALPHABET.contains(&b));
        fits.then(|| PublicName::with_id(id).compressed(compression))
    }

    /// Whether a directory of claims is that of a stage of this stem.
    pub(crate) fn is_of_stem(self, claims: &OsStr) -> bool {
        // As `Spec::claims` names it.
        let stem =
            claims.to_str().and_then(|name| name.split_once('.')).map_or(DEFAULT_STEM, |(_, stem)| stem);
        stem == self.stem
    }

    /// Those among the names in a directory that are of this format.
    pub(crate) fn all(self, names: &[OsString]) -> impl Iterator<Item = PublicName> {
        names.iter().filter_map(move |name| self.parse(name))
    }

    /// Returns the file's name.
    pub(crate) fn file_name(self, name: &PublicName) -> String {
        let (Format { stem, extension }, end) = (self, name.compression.suffix());
        match &name.id {
            None => format!("{stem}.{extension}{end}"),
            Some(id) => format!("{stem}-{id}.{extension}{end}"),
        }
    }
}

/// Returns an id made of the batch's that sorts behind `greatest`.
///
/// That is the batch's own id wherever it sorts behind already: UUIDs of version 7 grow with time.
/// Behind a foreign name such as `zzz` it is `zzz-<batch>`. `None` where no id sorts behind: the
/// greatest is the greatest that there is.
pub(crate) fn id_behind(batch: Uuid, greatest: Option<&str>) -> Option<String> {
    let own = batch.to_string();
    let Some(greatest) = greatest else { return Some(own) };
    if own.as_str() > greatest {
        return Some(own);
    }
    let room = greatest.len().min(MAX_ID - own.len() - 1);
    let kept = (1..=room).map(|length| format!("{}-{own}", &greatest[..length]));
    let raised = (1..=room).rev().filter_map(|length| {
        let (head, last) = (&greatest[..length - 1], greatest.as_bytes()[length - 1]);
        let next = ALPHABET.iter().find(|&&letter| letter > last)?;
        Some(format!("{head}{}-{own}", char::from(*next)))
    });
    kept.chain(raised).find(|id| id.as_str() > greatest)
}

/// A claim's directory: the batch and how many owners it has had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ClaimName {
    pub(crate) batch: Uuid,
    pub(crate) generation: u32,
}

impl ClaimName {
    /// Draws the name of a batch's first claim.
    pub(crate) fn first() -> Self {
        ClaimName { batch: Uuid::now_v7(), generation: 1 }
    }

    /// How long ago the batch was first claimed; unknown where the clock has been set back.
    pub(crate) fn age(self) -> Option<Duration> {
        age(self.batch)
    }

    pub(crate) fn next(self) -> Self {
        ClaimName { generation: self.generation.saturating_add(1), ..self }
    }

    pub(crate) fn parse(name: &OsStr) -> Option<Self> {
        let (batch, generation) = name.to_str()?.split_once('.')?;
        let parsed = ClaimName { batch: batch.parse().ok()?, generation: generation.parse().ok()? };
        // One spelling each: a directory that we would not find again under our own spelling is not ours.
        (parsed.to_string().as_str() == name.to_str()?).then_some(parsed)
    }
}

/// How long ago a batch was first claimed, by the clock of whoever did; unknown where that is ahead.
pub(crate) fn age(batch: Uuid) -> Option<Duration> {
    let (seconds, nanoseconds) = batch.get_timestamp()?.to_unix();
    SystemTime::now().duration_since(UNIX_EPOCH + Duration::new(seconds, nanoseconds)).ok()
}

impl fmt::Display for ClaimName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.batch, self.generation)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FORMAT: Format = Format { stem: "listing", extension: "txt" };

    fn parse(name: &str) -> Option<PublicName> {
        FORMAT.parse(OsStr::new(name))
    }

    #[test]
    fn only_plain_names_and_names_with_an_id_are_public() {
        assert_eq!(parse("listing.txt"), Some(PublicName::default()));
        assert_eq!(parse("listing-a_B-9.txt"), Some(PublicName::with_id("a_B-9")));
        let long = "x".repeat(65);
        for other in [
            "listing.csv",
            "listing",
            "listing-.txt",
            "listing-a b.txt",
            "listing-../../x.txt",
            "listings.txt",
            "xlisting.txt",
            "listing.txt.tmp",
            "listing.gz",
            "listing.txt.GZ",
            "listing.txtgz",
            "listing.txt.gz.gz",
            "listing.txt.gz.zst",
            "listing.csv.gz",
            "listing-é.txt",
            &format!("listing-{long}.txt"),
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_stem_has_no_hyphen_and_a_bound() {
        assert_eq!(stem("listing").unwrap(), DEFAULT_STEM);
        for good in ["a", "Iris_2", "_", &"x".repeat(64)] {
            assert_eq!(stem(good), Ok(good));
        }
        for wrong in ["", "a-b", "a.b", "a/b", "..", "é", " a", "a\n", &"x".repeat(65)] {
            assert_eq!(stem(wrong), Err(StemError), "{wrong:?}");
        }
        assert!(StemError.to_string().contains("no -"));
    }

    #[test]
    fn claims_lie_where_they_did_before_there_were_stems_and_else_apart() {
        let claims = |stem| Spec { name: "csv-to-json", stem, input: None, output: None }.claims();
        assert_eq!(claims("listing"), "csv-to-json");
        assert_eq!(claims("iris"), "csv-to-json.iris");
    }

    #[test]
    fn the_plain_name_sorts_before_every_id_and_a_compressed_file_behind_its_namesake() {
        let names = ["listing.txt", "listing.txt.gz", "listing.txt.zst", "listing--.txt", "listing--.txt.gz"];
        let parsed = names.map(|name| parse(name).unwrap());
        assert!(parsed.is_sorted() && parsed[0] == PublicName::default(), "{parsed:?}");
        assert_eq!(parsed.map(|name| FORMAT.file_name(&name)), names);
    }

    #[test]
    fn the_greatest_id_of_all_has_none_behind_it() {
        assert_eq!(id_behind(Uuid::now_v7(), Some(&"z".repeat(64))), None);
    }

    #[test]
    fn claim_names_have_one_spelling() {
        let name = ClaimName::first();
        assert_eq!(ClaimName::parse(OsStr::new(&name.to_string())), Some(name));
        let simple = format!("{}.1", name.batch.simple());
        let upper = name.to_string().to_uppercase();
        for other in [
            simple,
            upper,
            format!("{}.01", name.batch),
            format!("{}.+1", name.batch),
            name.batch.to_string(),
        ] {
            if other != name.to_string() {
                assert_eq!(ClaimName::parse(OsStr::new(&other)), None, "{other}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_published_id_is_valid_and_behind_every_id_waiting(waiting in "[A-Za-z0-9_-]{1,64}", more in 0..4_usize) {
            let mut greatest = waiting;
            for _ in 0..more {
                let Some(id) = id_behind(Uuid::now_v7(), Some(&greatest)) else {
                    // Only where the room in front of the batch's id is nothing but the last letter.
                    prop_assert!(greatest.starts_with(&"z".repeat(MAX_ID - 37)));
                    return Ok(());
                };
                prop_assert!(id > greatest);
                let next = parse(&format!("listing-{id}.txt"));
                for end in ["", ".gz", ".zst"] {
                    let waiting = parse(&format!("listing-{greatest}.txt{end}"));
                    prop_assert!(waiting.is_some() && next > waiting);
                }
                greatest = id;
            }
        }

        #[test]
        fn no_name_is_of_two_stems(
            stems in prop::array::uniform2("[ab_]{1,3}"),
            id in "[ab_-]{0,4}",
            compression in prop::sample::select(&Compression::ALL[..]),
        ) {
            prop_assume!(stems[0] != stems[1]);
            let [first, second] =
                stems.map(|text| Format { stem: stem(&text).unwrap(), extension: "csv" });
            let public = PublicName { id: (!id.is_empty()).then_some(id), compression };
            let name = first.file_name(&public);
            prop_assert_eq!(first.parse(OsStr::new(&name)), Some(public));
            prop_assert_eq!(second.parse(OsStr::new(&name)), None);
        }
    }
}
