//! Judgements and measurements: what is recorded beside spans, and outlives the moment in which it was said.

use serde::{Deserialize, Serialize};

use crate::{Json, Metadata, SpanId, Timestamp, TraceId};

/// What a score or metric is about. Nothing set: the project as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Target {
    /// A trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<TraceId>,
    /// A span of that trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_id: Option<SpanId>,
    /// A session, by its id; for a trace, the one it was known to belong to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
}

/// The value of a score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "value", rename_all = "lowercase")]
pub enum ScoreValue {
    /// A number, finite.
    Numeric(f64),
    /// Yes or no.
    Boolean(bool),
    /// One of some few names.
    Categorical(String),
    /// Free text.
    Text(String),
}

impl Default for ScoreValue {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

/// A number of any of Rust's types, as the nearest that JSON and a database have.
///
/// ```
/// use observe_model::Number;
/// assert_eq!(Number::from("hello".len()), Number(5.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Number(pub f64);

macro_rules! numbers {
    ($($number:ty)+) => {$(
        impl From<$number> for Number {
            fn from(number: $number) -> Self {
                Self(number as f64)
            }
        }
        impl From<$number> for ScoreValue {
            fn from(number: $number) -> Self {
                Self::Numeric(number as f64)
            }
        }
    )+};
}
numbers!(f32 f64 i8 i16 i32 i64 isize u8 u16 u32 u64 usize);

impl From<bool> for ScoreValue {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

/// The name of a category; free text is [`ScoreValue::Text`].
impl From<&str> for ScoreValue {
    fn from(category: &str) -> Self {
        Self::Categorical(category.to_owned())
    }
}

/// The name of a category; free text is [`ScoreValue::Text`].
impl From<String> for ScoreValue {
    fn from(category: String) -> Self {
        Self::Categorical(category)
    }
}

/// A judgement on a trace, span or session.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[doc(alias = "feedback")]
#[doc(alias = "annotation")]
#[doc(alias = "evaluation")]
pub struct Score {
    /// Its id: a score with the id of an earlier one replaces that.
    pub id: String,
    /// What was judged.
    pub name: String,
    /// How.
    #[serde(flatten)]
    pub value: ScoreValue,
    /// What it is about.
    pub target: Target,
    /// When it was given.
    pub at: Timestamp,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// What would have been right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correction: Option<Json>,
    /// Anything else.
    #[serde(skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
    /// Who judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
}

/// A named number, kept as a record of its own.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Metric {
    /// Its id: a metric with the id of an earlier one replaces that.
    pub id: String,
    /// What was measured.
    pub name: String,
    /// How much, finite.
    pub value: f64,
    /// In which unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Labels, in the order they were given, none twice.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What it is about.
    pub target: Target,
    /// When it was measured.
    pub at: Timestamp,
}

/// What is recorded beside spans.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Record {
    /// A judgement.
    Score(Score),
    /// A measurement.
    Metric(Metric),
}
