//! Finds the passages that match a question: BM25 over stemmed English words.

use bm25::{DefaultTokenizer, Document, Language, SearchEngine, SearchEngineBuilder, Tokenizer};
use observe::observe;
use serde::Serialize;

use crate::corpus::Passage;

/// Searches the documents.
pub(crate) struct Retriever(Index<Passage>);

/// A passage that was found, and how well it fits; the larger the better.
#[derive(Debug, Serialize)]
pub(crate) struct Hit {
    pub(crate) score: f32,
    #[serde(flatten)]
    pub(crate) passage: Passage,
}

impl Retriever {
    pub(crate) fn new(passages: Vec<Passage>) -> Self {
        // The heading is searched as well: often it alone has the question's words.
        Self(Index::new(passages, |passage| format!("{}\n{}", passage.source, passage.text)))
    }

    /// The `limit` best passages, best first.
    ///
    /// `as_type` says what kind of step this is. Both arguments and the result are recorded; `self` never is.
    #[observe(as_type = "retriever")]
    pub(crate) fn search_documents(&self, query: &str, limit: usize) -> Vec<Hit> {
        let found = self.0.best(query, limit).into_iter();
        found.map(|(score, passage)| Hit { score, passage: passage.clone() }).collect()
    }
}

/// Things that can be found by their text.
pub(crate) struct Index<T> {
    items: Vec<T>,
    engine: SearchEngine<usize>,
}

impl<T> Index<T> {
    pub(crate) fn new(items: Vec<T>, text: impl Fn(&T) -> String) -> Self {
        let documents: Vec<_> =
            items.iter().enumerate().map(|(i, item)| Document::new(i, text(item))).collect();
        let engine = SearchEngineBuilder::with_tokenizer_and_documents(tokenizer(), documents).build();
        Self { items, engine }
    }

    /// The `limit` things that match best, with their scores.
    pub(crate) fn best(&self, query: &str, limit: usize) -> Vec<(f32, &T)> {
        let mut found = self.engine.search(query, None);
        // Equal scores come in no particular order: the first thing first makes every run the same.
        found.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.document.id.cmp(&b.document.id)));
        found.truncate(limit);
        found.into_iter().map(|result| (result.score, &self.items[result.document.id])).collect()
    }
}

/// The words of `text` that carry meaning, as stems: "The recorded spans" is `record`, `span`.
pub(crate) fn stems(text: &str) -> Vec<String> {
    tokenizer().tokenize(text)
}

fn tokenizer() -> DefaultTokenizer {
    DefaultTokenizer::new(Language::English)
}
