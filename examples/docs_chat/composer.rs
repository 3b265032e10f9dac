//! Answers without a language model: quotes the sentences that fit the question best.

use crate::{answer::Prompt, retriever::Index, tools};

/// How many sentences an answer quotes.
const SENTENCES: usize = 2;

/// A sentence and where it stands.
struct Quote<'a> {
    source: &'a str,
    sentence: String,
}

/// The results of the tools, then the best sentences of the passages that were found, then where they stand.
pub(crate) fn compose(prompt: &Prompt) -> String {
    let passages = prompt.passages.iter().map(|hit| &hit.passage);
    let quotes = passages.flat_map(|passage| {
        sentences(&passage.text).into_iter().map(|sentence| Quote { source: &passage.source, sentence })
    });
    let index = Index::new(quotes.collect(), searched_text);
    let best = index.best(&prompt.query, SENTENCES);

    // A model is always told the time; whoever asks hears it only on request.
    let wanted = |tool: &str| tool != "clock" || tools::asks_for_time(&prompt.question);
    let results = prompt.tools.iter().filter(|result| wanted(result.tool));
    let mut answer: Vec<String> = results.map(|result| result.text.clone()).collect();
    answer.extend(best.iter().map(|(_, quote)| quote.sentence.clone()));
    let mut sources: Vec<&str> = best.iter().map(|(_, quote)| quote.source).collect();
    sources.dedup();
    answer.push(match sources.as_slice() {
        [] => "The documents say nothing about this.".to_owned(),
        sources => format!("[{}]", sources.join("; ")),
    });
    answer.join(" ")
}

/// A sentence is found by its words and its heading's. Its first words count twice: they are what it is about.
fn searched_text(quote: &Quote<'_>) -> String {
    let heading = quote.source.rsplit(" > ").next().unwrap_or_default();
    let subject: Vec<&str> = quote.sentence.split_whitespace().take(3).collect();
    format!("{heading} {} {}", subject.join(" "), quote.sentence)
}

/// The sentences of a passage as plain text. Code, tables and pictures are no sentences.
fn sentences(text: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    let prose = text.lines().filter(|line| !line.starts_with("    ")).map(str::trim);
    for line in prose.filter(|line| !line.starts_with(['|', '<', '!'])) {
        match blocks.last_mut() {
            // A line goes on with its paragraph unless it is blank or begins an item of a list.
            Some(block) if !line.is_empty() && !line.starts_with(['-', '*', '>']) => {
                block.push(' ');
                block.push_str(line);
            }
            _ => blocks.push(line.to_owned()),
        }
    }
    let sentences = blocks.iter().flat_map(|block| block.split_inclusive(". "));
    sentences.map(plain).filter(|sentence| sentence.contains(char::is_alphabetic)).collect()
}

/// Takes Markdown's marks off: `- **trace**` is `trace`.
fn plain(sentence: &str) -> String {
    sentence.trim_start_matches(['-', '*', '>', ' ']).trim_end().replace("**", "").replace('`', "")
}
