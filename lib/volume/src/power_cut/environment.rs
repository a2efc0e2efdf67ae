//! What a power cut does not reach: what was put in, what the API was sent, and what was promised.

use std::collections::{BTreeMap, BTreeSet};

use super::batch_file::BatchFile;

/// A batch's key, and a line of it.
pub(super) type DocumentKey = (String, usize);

/// Something done that outlasts a power cut.
#[derive(Debug, Clone)]
pub(super) enum Event {
    /// Someone put in a file: all of it has to arrive.
    PutIn(BatchFile),
    /// A file is begun that may be published, or not.
    Begun(BatchFile),
    /// It was said to be published.
    Published(BatchFile),
    /// The API got a document.
    Sent { key: DocumentKey, document: String },
    /// Documents were recorded as sent: none of them will be sent again.
    Saved(Vec<DocumentKey>),
    /// A journal says that documents were sent.
    Believed(Vec<DocumentKey>),
}

/// What is known outside of the volume.
#[derive(Debug, Clone, Default)]
pub(super) struct Environment {
    /// Every file, and whether it has to arrive.
    pub(super) files: BTreeMap<String, (BatchFile, bool)>,
    /// The key that every document was sent with.
    pub(super) sent: BTreeMap<String, DocumentKey>,
    keys: BTreeMap<DocumentKey, String>,
    saved: BTreeSet<DocumentKey>,
}

impl Environment {
    /// Applies one; the error says which promise it breaks.
    pub(super) fn apply(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::PutIn(file) | Event::Published(file) => {
                self.files.insert(file.name.clone(), (file, true));
            }
            Event::Begun(file) => {
                self.files.insert(file.name.clone(), (file, false));
            }
            Event::Sent { key, document } => return self.send(key, document),
            Event::Saved(keys) => self.saved.extend(keys),
            Event::Believed(keys) => {
                if let Some((key, line)) = keys.iter().find(|key| !self.keys.contains_key(*key)) {
                    return Err(format!("a journal says that line {line} of {key} was sent: it was not"));
                }
            }
        }
        Ok(())
    }

    fn send(&mut self, key: DocumentKey, document: String) -> Result<(), String> {
        if self.saved.contains(&key) {
            return Err(format!("`{document}` was sent again after it was recorded"));
        }
        if self.keys.get(&key).is_some_and(|other| *other != document) {
            return Err(format!("`{document}` was sent with the key of another"));
        }
        if self.sent.get(&document).is_some_and(|other| *other != key) {
            return Err(format!("`{document}` was sent with two keys: it came twice"));
        }
        self.sent.insert(document.clone(), key.clone());
        self.keys.insert(key, document);
        Ok(())
    }
}
