//! Names that came before the conventions or stand beside them: OpenLLMetry's `traceloop.*`, the Vercel AI SDK's `ai.*`,
//! MLflow's, Laminar's, LangSmith's, and the bare ones of Claude Code. They are read, never written.

use observe_model::{SpanType, Usage};

use crate::{
    dialect::{
        Draft, fill,
        payload::{self, looks_nested},
    },
    otlp::attributes::{Attributes, Unreadable},
};

/// Whether [`read`] may know what to do with this key.
pub(super) fn is_known(key: &str) -> bool {
    let families = ["traceloop.", "llm.usage.", "ai.", "mlflow.", "lmnr.", "langsmith."];
    families.iter().any(|family| key.starts_with(family))
        || ["input", "output", "input_tokens", "ttft_ms"].contains(&key)
}

/// Reads what nobody has said in better words.
pub(super) fn read(draft: &mut Draft<'_>, a: &mut Attributes<'_>) -> Result<(), Unreadable> {
    let Draft { span, scope, details } = draft;
    if span.usage.is_unknown() && a.has("input_tokens") && a.has("output_tokens") {
        // Claude Code counts as Anthropic does: what is cached is not part of the input.
        span.usage = Usage {
            input: a.count(&["input_tokens"]),
            output: a.count(&["output_tokens"]),
            cache_read: a.count(&["cache_read_tokens"]),
            cache_write: a.count(&["cache_creation_tokens"]),
            ..Usage::default()
        };
        fill(&mut span.model, || a.text(&["model"]).map(Into::into));
    }
    fill(&mut span.model, || a.text(&["ai.response.model", "ai.model.id"]).map(Into::into));
    fill(&mut scope.session, || {
        a.text(&[
            "traceloop.association.properties.session_id",
            "ai.telemetry.metadata.sessionId",
            "langsmith.trace.session_id",
        ])
    });
    fill(&mut scope.user, || {
        a.text(&["traceloop.association.properties.user_id", "ai.telemetry.metadata.userId"])
    });
    if scope.tags.is_empty() {
        scope.tags = a.texts("ai.telemetry.metadata.tags")?;
    }
    fill(&mut details.time_to_first, || {
        let millis = a.double(&["ai.response.msToFirstChunk", "ttft_ms"]).filter(|ms| *ms >= 0.0);
        millis.map(|millis| (millis * 1e6).round() as u64)
    });
    if span.input.is_none() {
        let keys = [
            "traceloop.entity.input",
            "lmnr.span.input",
            "ai.prompt.messages",
            "ai.prompt",
            "ai.toolCall.args",
            "input",
        ];
        // MLflow writes every value as JSON.
        span.input = match a.has("mlflow.spanInputs") {
            true => payload::read(a, "", &["mlflow.spanInputs"], |_| true)?,
            false => payload::read(a, "", &keys, looks_nested)?,
        };
    }
    if span.output.is_none() {
        let keys = [
            "traceloop.entity.output",
            "lmnr.span.output",
            "ai.response.text",
            "ai.response.object",
            "ai.response.toolCalls",
            "ai.toolCall.result",
            "output",
        ];
        span.output = match a.has("mlflow.spanOutputs") {
            true => payload::read(a, "", &["mlflow.spanOutputs"], |_| true)?,
            false => payload::read(a, "", &keys, looks_nested)?,
        };
    }
    Ok(())
}

/// The span type that is said.
pub(super) fn span_type(a: &mut Attributes<'_>) -> Option<SpanType> {
    let traceloop = a.text_like("traceloop.span.kind", |text| {
        Some(match text {
            "workflow" => SpanType::Chain,
            "task" => SpanType::Span,
            "agent" => SpanType::Agent,
            "tool" => SpanType::Tool,
            _ => return None,
        })
    });
    let mlflow = a.text_like("mlflow.spanType", of_mlflow);
    let laminar = a.text_like("lmnr.span.type", |text| {
        Some(match text {
            "LLM" => SpanType::Generation,
            "TOOL" => SpanType::Tool,
            "EVALUATOR" | "HUMAN_EVALUATOR" => SpanType::Evaluator,
            "DEFAULT" | "EXECUTOR" => SpanType::Span,
            _ => return None,
        })
    });
    let vercel = a.text_like("ai.operationId", |text| {
        Some(match text {
            "ai.toolCall" => SpanType::Tool,
            _ if text.ends_with(".doEmbed") => SpanType::Embedding,
            _ if text.ends_with(".doGenerate") || text.ends_with(".doStream") => SpanType::Generation,
            // It may call a model several times, and sums up what those calls say.
            _ => SpanType::Chain,
        })
    });
    traceloop.or(mlflow).or(laminar).or(vercel)
}

/// The span type of MLflow's, which stands in quotes.
fn of_mlflow(text: &str) -> Option<SpanType> {
    Some(match text.trim_matches('"') {
        "LLM" | "CHAT_MODEL" => SpanType::Generation,
        "AGENT" => SpanType::Agent,
        "TOOL" => SpanType::Tool,
        "CHAIN" | "WORKFLOW" => SpanType::Chain,
        "RETRIEVER" | "RERANKER" => SpanType::Retriever,
        "EMBEDDING" => SpanType::Embedding,
        "EVALUATOR" => SpanType::Evaluator,
        "GUARDRAIL" => SpanType::Guardrail,
        "UNKNOWN" | "PARSER" | "TASK" => SpanType::Span,
        _ => return None,
    })
}
