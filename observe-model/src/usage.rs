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

/// What the tokens of a model cost, in US dollars for a million of them.
///
/// Tokens without a price of their own cost what the others of their side do; reasoning tokens are output.
///
/// ```
/// use observe_model::{Price, Usage};
/// let price = Price { cache_read: Some(0.5), ..Price::new(1.0, 8.0) };
/// let usage = Usage { cache_read: Some(2_000_000), reasoning: Some(250_000), ..Usage::new(1_000_000, 250_000) };
/// let cost = price.of(&usage);
/// assert_eq!((cost.input, cost.output, cost.total()), (Some(2.0), Some(4.0), Some(6.0)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// Of input.
    pub input: f64,
    /// Of input that is read from the provider's cache.
    pub cache_read: Option<f64>,
    /// Of input that is written to it.
    pub cache_write: Option<f64>,
    /// Of audio that goes in.
    pub input_audio: Option<f64>,
    /// Of output.
    pub output: f64,
    /// Of audio that comes out.
    pub output_audio: Option<f64>,
}

impl Price {
    /// The same price for all input, and for all output.
    pub fn new(input: f64, output: f64) -> Self {
        Self { input, cache_read: None, cache_write: None, input_audio: None, output, output_audio: None }
    }

    /// What that many tokens cost; of a side of which no tokens are known, nothing is.
    pub fn of(&self, usage: &Usage) -> Cost {
        let side = |usual: f64, buckets: &[(Option<u64>, Option<f64>)]| {
            let dollars = |(tokens, own): &(Option<u64>, Option<f64>)| {
                tokens.map(|tokens| tokens as f64 * own.unwrap_or(usual))
            };
            buckets.iter().filter_map(dollars).reduce(|a, b| a + b).map(|sum| sum / 1e6)
        };
        let input = [
            (usage.input, None),
            (usage.cache_read, self.cache_read),
            (usage.cache_write, self.cache_write),
            (usage.input_audio, self.input_audio),
        ];
        let output = [(usage.output, None), (usage.reasoning, None), (usage.output_audio, self.output_audio)];
        Cost { input: side(self.input, &input), output: side(self.output, &output), total: None }.finite()
    }
}

/// The sum of what is known, without overflow; `None` if nothing is.
fn sum<const N: usize>(buckets: [Option<u64>; N]) -> Option<u64> {
    buckets.into_iter().flatten().reduce(u64::saturating_add)
}
