//! Who asks what: two conversations from a script, or one from the terminal.

use std::{io, sync::Arc, thread};

use observe::{TraceId, session};
use tokio::sync::mpsc;

use crate::{answer::Model, assistant::Assistant, retriever::Retriever, terminal};

/// One user's questions. Its turns are traces of their own; the session id holds them together.
pub(crate) struct Conversation {
    /// Unique to this run, so that a second run begins a new session.
    pub(crate) session: String,
    user: &'static str,
    questions: Questions,
}

enum Questions {
    Script(std::array::IntoIter<&'static str, 3>),
    Terminal(mpsc::Receiver<String>),
}

/// Two conversations about this repository's own documents. In the second, the calculator fails.
pub(crate) fn scripted(run: &str) -> Vec<Conversation> {
    let newcomer = [
        "What does #[observe] record of a function?",
        "And what of its arguments?",
        "Do several traces belong to one conversation? If each of 3 has 7 spans, how many are 3 * 7?",
    ];
    let operator = [
        "In which file is it all kept, and what day is it?",
        "How do I turn recording off?",
        "How much is 42 / 0, and what status has a span whose function panicked?",
    ];
    vec![
        Conversation::new("newcomer", run, Questions::Script(newcomer.into_iter())),
        Conversation::new("operator", run, Questions::Script(operator.into_iter())),
    ]
}

/// One conversation with whoever sits at the terminal, until the end of input.
pub(crate) fn from_terminal(run: &str) -> Vec<Conversation> {
    terminal::say("Ask, one question a line; the end of input ends the conversation.");
    let (sender, receiver) = mpsc::channel(1);
    // Reading a terminal cannot be cancelled. On a thread of its own it does not hold up the end of the program.
    thread::spawn(move || {
        io::stdin().lines().map_while(Result::ok).try_for_each(|l| sender.blocking_send(l))
    });
    vec![Conversation::new("terminal", run, Questions::Terminal(receiver))]
}

impl Conversation {
    fn new(user: &'static str, run: &str, questions: Questions) -> Self {
        Self { session: format!("{user}-{run}"), user, questions }
    }

    /// Asks every question in turn and prints the answers.
    pub(crate) async fn hold(mut self, retriever: Arc<Retriever>, model: Arc<Model>) {
        let mut assistant = Assistant::new(retriever, model);
        // Whatever is observed inside the scope carries the session, the user and the tag.
        let scope = session(&self.session).user(self.user).tag("docs_chat");
        let talk = async {
            terminal::heading(&format!("Session {} ({})", self.session, self.user));
            let mut turn = 0;
            while let Some(question) = self.questions.next().await {
                turn += 1;
                terminal::question(&question);
                // The first turn's trace id follows from its session's: a request id or a ticket number serves alike.
                let trace_id = (turn == 1).then(|| TraceId::from_seed(format!("{}/1", self.session)));
                match assistant.answer(&question, trace_id).await {
                    Ok(answer) => terminal::answer(&answer),
                    Err(error) => terminal::failure(&error),
                }
            }
        };
        scope.scope(talk).await;
    }
}

impl Questions {
    async fn next(&mut self) -> Option<String> {
        match self {
            Self::Script(questions) => questions.next().map(str::to_owned),
            Self::Terminal(lines) => loop {
                let line = lines.recv().await?;
                if !line.trim().is_empty() {
                    return Some(line);
                }
            },
        }
    }
}
