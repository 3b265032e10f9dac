//! Turns what was found into an answer: with a language model if the environment names one, else by quoting.

use observe::observe;
use serde::Serialize;

use crate::{
    composer,
    endpoint::{Endpoint, EndpointError},
    retriever::Hit,
};

/// Everything an answer is made from.
#[derive(Debug, Serialize)]
pub(crate) struct Prompt {
    /// The question as it was asked.
    pub(crate) question: String,
    /// The question with what a follow-up leaves unsaid.
    pub(crate) query: String,
    /// Questions and answers of the conversation so far, oldest first.
    pub(crate) history: Vec<Exchange>,
    /// What the tools said.
    pub(crate) tools: Vec<ToolResult>,
    /// What the retriever found.
    pub(crate) passages: Vec<Hit>,
}

/// What came of calling a tool, in a sentence.
#[derive(Debug, Serialize)]
pub(crate) struct ToolResult {
    pub(crate) tool: &'static str,
    pub(crate) text: String,
}

/// One question and its answer.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Exchange {
    pub(crate) question: String,
    pub(crate) answer: String,
}

/// Who writes the answers.
pub(crate) enum Model {
    /// A chat model behind an OpenAI-compatible endpoint.
    Endpoint(Endpoint),
    /// Quotes the documents.
    Composer,
}

impl Model {
    /// The endpoint that `OPENAI_API_KEY` or `OPENAI_BASE_URL` names; the composer if neither is set.
    pub(crate) fn from_env() -> Result<Self, EndpointError> {
        Ok(Endpoint::from_env()?.map_or(Self::Composer, Self::Endpoint))
    }

    /// The name that is recorded with each generation.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Endpoint(endpoint) => &endpoint.model,
            Self::Composer => "extractive-composer",
        }
    }

    /// Writes the answer.
    ///
    /// The attribute's values are expressions: here the model's name depends on `self`. The composer reads no tokens,
    /// so none are recorded for it: unknown is not zero.
    #[observe(as_type = "generation", model = self.name())]
    pub(crate) async fn generate(&self, prompt: &Prompt) -> Result<String, EndpointError> {
        match self {
            Self::Endpoint(endpoint) => endpoint.complete(prompt).await,
            Self::Composer => Ok(composer::compose(prompt)),
        }
    }
}
