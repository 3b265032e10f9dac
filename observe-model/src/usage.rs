//! Token counts and what they cost.

use serde::{Deserialize, Serialize};

/// Tokens that a model call used, in buckets that do not overlap, so that a sum never counts a token twice.
///
/// Platforms disagree whether "input" includes cached tokens; each dialect derives its own sums from these buckets.
/// A bucket that the provider did not report is `None`: unknown, which is not zero.
///
/// ```
/// use observe_model::Usage;
/// let usage = Usage { cache_read: Some(400), ..Usage::new(600, 200) };
/// assert_eq!(usage.total_input(), Some(1000));
/// assert_eq!(usage.total(), Some(1200));
/// assert_eq!(Usage::default().total(), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Input tokens that came from no cache and are not audio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<u64>,
    /// Input tokens read from the provider's cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<u64>,
    /// Input tokens written to the provider's cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<u64>,
    /// Audio input tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_audio: Option<u64>,
    /// Output tokens that are neither reasoning nor audio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<u64>,
    /// Output tokens spent on reasoning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<u64>,
    /// Audio output tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_audio: Option<u64>,
}

impl Usage {
    /// Plain input and output tokens; the other buckets stay unknown.
    pub fn new(input: u64, output: u64) -> Self {
        Self { input: Some(input), output: Some(output), ..Self::default() }
    }

    /// All input tokens, cached and audio ones included; `None` if none is known.
    pub fn total_input(&self) -> Option<u64> {
        sum([self.input, self.cache_read, self.cache_write, self.input_audio])
    }

    /// All output tokens, reasoning and audio ones included; `None` if none is known.
    pub fn total_output(&self) -> Option<u64> {
        sum([self.output, self.reasoning, self.output_audio])
    }

    /// All tokens; `None` if none is known.
    pub fn total(&self) -> Option<u64> {
        sum([self.total_input(), self.total_output()])
    }

    /// Whether no bucket is known.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

/// What a model call cost, in US dollars. What is not known is `None`, which is not zero.
///
/// ```
/// use observe_model::Cost;
/// let cost = Cost { input: Some(0.25), output: Some(0.5), total: None };
/// assert_eq!(cost.total(), Some(0.75));
/// assert_eq!(Cost::from(0.1).total(), Some(0.1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Cost {
    /// What the input cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<f64>,
    /// What the output cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<f64>,
    /// What the call cost, where it was said; [`total`](Self::total) adds up the parts where it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<f64>,
}

impl Cost {
    /// What input and output cost; the total is their sum.
    pub fn new(input: f64, output: f64) -> Self {
        Self { input: Some(input), output: Some(output), total: None }
    }

    /// What the call cost: as it was said, else input and output together, as far as they are known.
    pub fn total(&self) -> Option<f64> {
        self.total.or_else(|| self.input.into_iter().chain(self.output).reduce(|a, b| a + b))
    }

    /// Whether nothing is known.
    #[inline]
    pub fn is_unknown(&self) -> bool {
        self.input.is_none() & self.output.is_none() & self.total.is_none()
    }

    /// The same without what is no finite number: JSON has no other, and one of them would spoil every sum it enters.
    pub fn finite(self) -> Self {
        let finite = |part: Option<f64>| part.filter(|dollars| dollars.is_finite());
        Self { input: finite(self.input), output: finite(self.output), total: finite(self.total) }
    }
}

/// A cost of which the total alone is known.
impl From<f64> for Cost {
    fn from(total: f64) -> Self {
        Self { total: Some(total), ..Self::default() }
    }
}

/// The sum of what is known, without overflow; `None` if nothing is.
fn sum<const N: usize>(buckets: [Option<u64>; N]) -> Option<u64> {
    buckets.into_iter().flatten().reduce(u64::saturating_add)
}
