//! Addresses of pages.

use std::sync::{Arc, OnceLock};

use observe_model::TraceId;

/// The address of the page that shows a trace, with `{trace_id}` in place of the id; known at once, or when a platform
/// has been asked. Clones share what they know.
///
/// ```
/// use observe_runtime::{TraceId, destination::TracePage};
/// let page = TracePage::default();
/// assert_eq!(page.of(TraceId::from_seed("a")), None);
/// page.set("http://x/t/{trace_id}");
/// assert_eq!(page.of(TraceId::from_seed("a")).unwrap(), format!("http://x/t/{}", TraceId::from_seed("a")));
/// ```
#[derive(Debug, Clone, Default)]
pub struct TracePage(Arc<OnceLock<String>>);

impl TracePage {
    /// Says the address. The first one counts.
    pub fn set(&self, address: impl Into<String>) {
        let _ = self.0.set(address.into());
    }

    /// Whether the address is known by now.
    #[cfg(feature = "otlp")]
    pub(crate) fn is_known(&self) -> bool {
        self.0.get().is_some()
    }

    /// The page of the trace `id`, if it is known by now.
    pub fn of(&self, id: TraceId) -> Option<String> {
        Some(self.0.get()?.replace("{trace_id}", &id.to_string()))
    }
}

/// A page whose address is known.
impl From<String> for TracePage {
    fn from(address: String) -> Self {
        Self(Arc::new(OnceLock::from(address)))
    }
}
