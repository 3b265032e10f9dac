//! What every span of a scope is stamped with.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::Metadata;

/// Whose trace it is and what it belongs to: stamped on every span that begins inside the scope that set it.
///
/// Platforms read these from each span, not from the root alone (Langfuse since v4), so no span goes without.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TraceAttributes {
    /// The conversation, thread or journey: any string the application chooses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The end user the trace is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Labels, in the order they were given, none twice.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Anything else.
    #[serde(skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
}

impl TraceAttributes {
    /// Those of a span that began in no scope.
    #[inline]
    pub fn none() -> &'static Self {
        static NONE: LazyLock<TraceAttributes> = LazyLock::new(TraceAttributes::default);
        &NONE
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds `tag` unless it is there already.
    pub fn add_tag(&mut self, tag: impl Into<String>) {
        let tag = tag.into();
        if !self.tags.contains(&tag) {
            self.tags.push(tag);
        }
    }

    /// Lays `inner` over `self`: what `inner` sets wins, tags and metadata merge.
    ///
    /// ```
    /// use observe_model::TraceAttributes;
    /// let mut outer = TraceAttributes { user: Some("u".into()), tags: vec!["a".into()], ..Default::default() };
    /// outer.merge(&TraceAttributes { session: Some("s".into()), tags: vec!["b".into(), "a".into()], ..Default::default() });
    /// assert_eq!(outer.user.as_deref(), Some("u"));
    /// assert_eq!(outer.session.as_deref(), Some("s"));
    /// assert_eq!(outer.tags, ["a", "b"]);
    /// ```
    pub fn merge(&mut self, inner: &Self) {
        if inner.session.is_some() {
            self.session.clone_from(&inner.session);
        }
        if inner.user.is_some() {
            self.user.clone_from(&inner.user);
        }
        for tag in &inner.tags {
            self.add_tag(tag);
        }
        self.metadata.extend(inner.metadata.clone());
    }
}
