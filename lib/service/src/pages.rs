use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

type Page = Arc<dyn Fn() -> String + Send + Sync>;

/// What a program shows on its admin port besides health and metrics: JSON, made anew for each who asks.
#[derive(Clone, Default)]
pub struct Pages(Arc<RwLock<BTreeMap<&'static str, Page>>>);

impl Pages {
    /// Shows at `path` what `page` makes, from now on. It must be quick, and small.
    pub fn add(&self, path: &'static str, page: impl Fn() -> String + Send + Sync + 'static) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(path, Arc::new(page));
    }

    /// What is shown at `path` now.
    pub fn get(&self, path: &str) -> Option<String> {
        let page = self.0.read().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        page.map(|page| page())
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").finish_non_exhaustive()
    }
}
