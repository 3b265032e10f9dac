//! What of spans a platform is not shown, by its client's own settings.

use std::borrow::Cow;

use observe_model::{Json, Metadata, Span, SpanType};

use crate::settings::Variables;

/// What stands in place of it, as the client has it.
const REDACTED: &str = "__REDACTED__";

/// What of spans is not sent: other destinations have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hidden {
    /// Inputs of all spans.
    pub inputs: bool,
    /// Outputs of all spans.
    pub outputs: bool,
    /// Inputs of generations: messages, whole.
    pub model_inputs: bool,
    /// Outputs of generations.
    pub model_outputs: bool,
    /// Outputs of embeddings.
    pub vectors: bool,
    /// How models were asked.
    pub parameters: bool,
}

impl Hidden {
    /// Reads `FI_HIDE_INPUTS`, `FI_HIDE_OUTPUTS`, `FI_HIDE_INPUT_MESSAGES`, `FI_HIDE_OUTPUT_MESSAGES` and their like.
    pub(super) fn read(from: &Variables<'_>) -> Self {
        let is_any = |names: &[&str]| names.iter().any(|name| from.is_true(name));
        Self {
            inputs: is_any(&["FI_HIDE_INPUTS"]),
            outputs: is_any(&["FI_HIDE_OUTPUTS"]),
            model_inputs: is_any(&["FI_HIDE_INPUT_MESSAGES", "FI_HIDE_INPUT_TEXT", "FI_HIDE_INPUT_IMAGES"]),
            model_outputs: is_any(&["FI_HIDE_OUTPUT_MESSAGES", "FI_HIDE_OUTPUT_TEXT"]),
            vectors: is_any(&["FI_HIDE_EMBEDDING_VECTORS"]),
            parameters: is_any(&["FI_HIDE_LLM_INVOCATION_PARAMETERS"]),
        }
    }

    /// The span as the platform is shown it.
    pub(in crate::destination) fn applied<'s>(&self, span: &'s Span<'s>) -> Cow<'s, Span<'s>> {
        if *self == Self::default() {
            return Cow::Borrowed(span);
        }
        let mut span = span.clone();
        let is_model = span.span_type == SpanType::Generation;
        let hides_input = self.inputs || (self.model_inputs && is_model);
        let hides_output = self.outputs
            || (self.model_outputs && is_model)
            || (self.vectors && span.span_type == SpanType::Embedding);
        let hidden = Json::of(REDACTED);
        for (payload, hides) in [(&mut span.input, hides_input), (&mut span.output, hides_output)] {
            if hides && payload.is_some() {
                *payload = Some(Cow::Owned(hidden.to_string()));
            }
        }
        if let Some(details) = &mut span.details {
            if self.parameters {
                details.parameters = Metadata::new();
            }
            if let Some(trace) = &mut details.trace {
                for (payload, hides) in [(&mut trace.input, self.inputs), (&mut trace.output, self.outputs)] {
                    if hides && payload.is_some() {
                        *payload = Some(hidden.clone());
                    }
                }
            }
        }
        Cow::Owned(span)
    }
}
