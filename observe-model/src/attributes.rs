//! What every span of a scope is stamped with, and what can be said of a whole trace.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::{Json, Metadata, Timestamp, details::replace};

/// Whose trace it is and what it belongs to: stamped on every span that begins inside the scope that set it.
///
/// Platforms read these from each span, not from the root alone (Langfuse since v4), so no span goes without.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TraceAttributes {
    /// What the trace is called, apart from its root span.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
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
    /// The version of what the trace is a run of, an agent or a workflow; of its spans too that name none of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The release of the application, where it is not the [`Resource`](crate::Resource)'s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// Where the application runs, where it is not what the [`Resource`](crate::Resource) says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Whether anybody with a link may see the trace, on platforms that offer this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public: Option<bool>,
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
        let Self { name, session, user, tags, metadata, version, release, environment, public } = inner;
        let texts = [
            (&mut self.name, name),
            (&mut self.session, session),
            (&mut self.user, user),
            (&mut self.version, version),
            (&mut self.release, release),
            (&mut self.environment, environment),
        ];
        for (outer, inner) in texts {
            if inner.is_some() {
                outer.clone_from(inner);
            }
        }
        self.public = public.or(self.public);
        for tag in tags {
            self.add_tag(tag);
        }
        self.metadata.extend(metadata.clone());
    }
}

/// What was said of a whole trace from inside it.
///
/// It is kept on the trace's first span; where that has ended, on the nearest span that has not. Each such span's
/// [`attributes`](crate::Span::attributes) have what it says merged in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TraceUpdate {
    /// When something was said last: of two updates of a trace, the later one wins.
    pub at: Timestamp,
    /// Name, session, user, tags and so on: what is set here wins over what scopes have set.
    #[serde(skip_serializing_if = "TraceAttributes::is_empty")]
    pub attributes: TraceAttributes,
    /// What went into the trace, where it is not what went into its root span.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Json>,
    /// What came out of it, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Json>,
    /// What it came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Json>,
    /// Why it failed: it counts as failed whatever its root span returns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

impl TraceUpdate {
    /// Adds what was `said` later: it wins, but tags and metadata merge.
    pub fn merge(&mut self, said: Self) {
        let Self { at, attributes, input, output, summary, failed } = said;
        self.at = self.at.max(at);
        self.attributes.merge(&attributes);
        replace(&mut self.input, input);
        replace(&mut self.output, output);
        replace(&mut self.summary, summary);
        replace(&mut self.failed, failed);
    }
}
