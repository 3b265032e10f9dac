//! The agent: decides which tools a question needs, calls them, looks into the documents, and has an answer written.

use std::sync::Arc;

use observe::{TraceId, observe};
use serde::Serialize;

use crate::{
    answer::{Exchange, Model, Prompt, ToolResult},
    endpoint::EndpointError,
    retriever::{Retriever, stems},
    tools,
};

/// How many passages an answer is made from.
const PASSAGES: usize = 6;

/// One end of a conversation: it remembers what was said.
pub(crate) struct Assistant {
    retriever: Arc<Retriever>,
    model: Arc<Model>,
    history: Vec<Exchange>,
    /// The words that the last question was about.
    topic: String,
}

impl Assistant {
    pub(crate) fn new(retriever: Arc<Retriever>, model: Arc<Model>) -> Self {
        Self { retriever, model, history: Vec::new(), topic: String::new() }
    }

    /// Answers one question: one turn, one trace.
    ///
    /// This is the outermost observed function, so its span is the trace's root, and all that it calls comes below it.
    /// With a `trace_id` the trace can be found again by whoever knows what the id was made from; `None` lets the
    /// library choose. It is no part of the question, so `skip` keeps it out of the recorded input.
    #[observe(name = "docs_assistant", as_type = "agent", trace_id = trace_id, skip(trace_id))]
    pub(crate) async fn answer(
        &mut self,
        question: &str,
        trace_id: Option<TraceId>,
    ) -> Result<String, EndpointError> {
        let query = self.complete(question);
        // Another task, the same trace: `observe::spawn` takes the current span along.
        let topic = observe::spawn(find_topic(question.to_owned()));

        let tools = choose_tools(question).into_iter().map(ToolCall::run).collect();
        let passages = self.retriever.search_documents(&query, PASSAGES);
        let history = self.history.clone();
        let prompt = Prompt { question: question.to_owned(), query, history, tools, passages };
        let answer = self.model.generate(&prompt).await?;

        self.topic = topic.await.unwrap_or_default();
        self.history.push(Exchange { question: prompt.question, answer: answer.clone() });
        Ok(answer)
    }

    /// The question with what a follow-up leaves unsaid: "And where is it kept?" is about the question before.
    fn complete(&self, question: &str) -> String {
        if question.to_lowercase().starts_with("and ") {
            format!("{question} {}", self.topic)
        } else {
            question.to_owned()
        }
    }
}

/// What a question is about.
#[observe]
async fn find_topic(question: String) -> String {
    stems(&question).join(" ")
}

/// A tool and what to call it with.
#[derive(Debug, Serialize)]
enum ToolCall {
    Calculator { expression: String },
    Clock,
}

/// The tools that a question needs. A plain function is observed just as an async one.
#[observe]
fn choose_tools(question: &str) -> Vec<ToolCall> {
    // No model knows what day it is: the clock is always read.
    let mut calls = vec![ToolCall::Clock];
    if let Some(expression) = tools::arithmetic_in(question) {
        calls.push(ToolCall::Calculator { expression: expression.to_owned() });
    }
    calls
}

impl ToolCall {
    /// Calls the tool. A failure is news for the answer, not its end.
    fn run(self) -> ToolResult {
        match self {
            Self::Calculator { expression } => {
                let text = match tools::calculator(&expression) {
                    Ok(value) => format!("{expression} = {value}."),
                    Err(error) => format!("The calculator failed: {error}."),
                };
                ToolResult { tool: "calculator", text }
            }
            Self::Clock => ToolResult {
                tool: "clock",
                text: format!("It is {}.", tools::clock(tools::Precision::Seconds)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::Passage;

    fn assistant() -> Assistant {
        let passage = |source: &str, text: &str| Passage { source: source.into(), text: text.into() };
        let passages = vec![
            passage("tea.md", "Green tea is brewed at 70 degrees. It is grown in Shizuoka."),
            passage("coffee.md", "Coffee is brewed at 93 degrees. It is grown in Antioquia."),
            passage("water.md", "Water boils at 100 degrees."),
        ];
        Assistant::new(Arc::new(Retriever::new(passages)), Arc::new(Model::Composer))
    }

    async fn ask(assistant: &mut Assistant, question: &str) -> String {
        assistant.answer(question, None).await.unwrap()
    }

    #[tokio::test]
    async fn a_follow_up_is_about_the_question_before() {
        let mut assistant = assistant();
        let answer = ask(&mut assistant, "How is coffee brewed?").await;
        assert!(answer.starts_with("Coffee is brewed at 93 degrees."), "{answer}");
        let answer = ask(&mut assistant, "And where is it grown?").await;
        assert!(answer.contains("Antioquia"), "{answer}");
    }

    #[tokio::test]
    async fn a_failing_tool_does_not_keep_the_answer_back() {
        let answer = ask(&mut assistant(), "How much is 42 / 0, and when does water boil?").await;
        let failure = "The calculator failed: cannot calculate `42 / 0`: division by zero.";
        assert_eq!(answer, format!("{failure} Water boils at 100 degrees. [water.md]"));
    }

    #[tokio::test]
    async fn what_the_documents_do_not_tell_is_not_made_up() {
        let answer = ask(&mut assistant(), "Who won the zeppelin race?").await;
        assert_eq!(answer, "The documents say nothing about this.");
    }
}
