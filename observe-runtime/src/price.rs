//! What model calls cost of which nobody said it.

#![forbid(unsafe_code)]

use std::sync::Arc;

use observe_model::{Price, Span, SpanType};

/// The prices of models: of one name, or of all names with a beginning, which ends in `*` then.
#[derive(Debug, Clone, Default)]
pub(crate) struct Prices(Arc<[(String, Price)]>);

impl Prices {
    pub(crate) fn new(prices: &[(String, Price)]) -> Self {
        Self(prices.into())
    }

    /// Says what a call of a model cost, if its tokens are known and have a price, and nobody said it.
    #[inline]
    pub(crate) fn fill(&self, span: &mut Span<'_>) {
        if !self.0.is_empty() {
            self.fill_some(span);
        }
    }

    fn fill_some(&self, span: &mut Span<'_>) {
        let is_call = matches!(span.span_type, SpanType::Generation | SpanType::Embedding);
        if is_call
            && span.cost.is_unknown()
            && let Some(price) = span.model.as_deref().and_then(|model| self.of(model))
        {
            span.cost = price.of(&span.usage);
        }
    }

    /// The price under the model's own name, else under the longest beginning of it.
    fn of(&self, model: &str) -> Option<&Price> {
        let fit = |name: &str| match name.strip_suffix('*') {
            Some(beginning) => model.starts_with(beginning).then_some(beginning.len()),
            None => (name == model).then_some(usize::MAX),
        };
        let fitting = self.0.iter().filter_map(|(name, price)| Some((fit(name)?, price)));
        fitting.max_by_key(|(fit, _)| *fit).map(|(_, price)| price)
    }
}

#[cfg(test)]
mod tests {
    use observe_model::{Cost, SpanId, Timestamp, TraceId, Usage};

    use super::*;

    fn prices() -> Prices {
        let price = |name: &str, dollars| (name.to_owned(), Price::new(dollars, dollars));
        Prices::new(&[price("gpt-4o*", 2.0), price("gpt-4o-mini*", 1.0), price("gpt-4o-mini", 4.0)])
    }

    fn call(span_type: SpanType, model: Option<&'static str>) -> Span<'static> {
        let mut span = Span::begin(TraceId::from_seed("t"), SpanId::from_seed("s"), "chat", Timestamp(1));
        (span.span_type, span.model) = (span_type, model.map(Into::into));
        span.usage = Usage::new(1_000_000, 0);
        span
    }

    #[test]
    fn the_nearest_price_counts_of_those_that_fit() {
        let cost = |model| {
            let mut span = call(SpanType::Generation, Some(model));
            prices().fill(&mut span);
            span.cost.total()
        };
        assert_eq!(cost("gpt-4o-2024-08-06"), Some(2.0));
        assert_eq!(cost("gpt-4o-mini-2024-07-18"), Some(1.0));
        assert_eq!(cost("gpt-4o-mini"), Some(4.0));
        assert_eq!(cost("gpt-4"), None);
    }

    #[test]
    fn only_a_call_whose_cost_nobody_said_gets_one() {
        let filled = |mut span: Span<'static>| {
            prices().fill(&mut span);
            span.cost
        };
        assert_eq!(filled(call(SpanType::Agent, Some("gpt-4o"))), Cost::default());
        assert_eq!(filled(call(SpanType::Embedding, None)), Cost::default());
        let mut said = call(SpanType::Generation, Some("gpt-4o"));
        said.cost = 0.0.into();
        assert_eq!(filled(said), Cost::from(0.0));
        let mut unknown = call(SpanType::Generation, Some("gpt-4o"));
        unknown.usage = Usage::default();
        assert_eq!(filled(unknown), Cost::default());
    }
}
