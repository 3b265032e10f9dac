//! An assistant that answers questions about a folder of documents, observed from end to end.
//!
//! It holds two conversations, prints what was recorded of them as trees, and serves the page that shows them:
//!
//! ```sh
//! cargo run --example docs_chat                   # about this repository's own documents
//! cargo run --example docs_chat -- --ask FOLDER   # about yours, with your questions
//! ```
//!
//! Read `assistant.rs` first: one turn is one trace. `conversations.rs` makes sessions of them. Everything that is
//! recorded is recorded by `#[observe]` on an ordinary function; the rest of the program does not know of it.

mod answer;
mod assistant;
mod composer;
mod conversations;
mod corpus;
mod endpoint;
mod retriever;
mod terminal;
mod tools;

use std::{
    error::Error,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{Duration, SystemTime},
};

use clap::Parser;
use observe_store::{SqliteStore, Store};
use observe_viewer::{Viewer, ViewerError};

use crate::{answer::Model, retriever::Retriever};

/// How long the end of the program may wait for what was recorded to be written.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);

/// Asks an assistant about a folder of documents, and shows what it did.
#[derive(Parser)]
struct Args {
    /// Folder of .md and .txt files; this repository's own documents if none is given.
    folder: Option<PathBuf>,
    /// Read the questions from the terminal, one a line.
    #[arg(long)]
    ask: bool,
    /// Exit when all is answered and printed, instead of serving the page.
    #[arg(long)]
    once: bool,
    /// Where to serve the page, on this machine.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4319", value_parser = loopback)]
    listen: SocketAddr,
}

/// The page shows what users asked and were told, and nobody has to log in to see it.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let addr: SocketAddr = text.parse().map_err(|_| "expected an address like 127.0.0.1:4319")?;
    addr.ip()
        .is_loopback()
        .then_some(addr)
        .ok_or("other machines could read it: choose 127.0.0.1 or [::1]".into())
}

fn main() -> ExitCode {
    let args = Args::parse();
    // The one line that turns recording on. Dropped last, after the tasks of `run`: then it writes what is left.
    let _observe = observe::init();
    run(args).unwrap_or_else(|error| {
        eprintln!("docs_chat: {error}");
        ExitCode::FAILURE
    })
}

#[tokio::main]
async fn run(args: Args) -> Result<ExitCode, Box<dyn Error>> {
    let sessions = tokio::select! {
        sessions = converse(&args) => sessions?,
        // Dropping a conversation half-way ends its open spans as cancelled; the finished ones are kept.
        Ok(()) = tokio::signal::ctrl_c() => return Ok(ExitCode::from(130)),
    };
    observe::flush(FLUSH_LIMIT);
    let database = observe::database_path()?;
    show(&database, &sessions)?;
    if !args.once {
        serve(database, args.listen, &sessions).await?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Holds the conversations and returns their session ids.
async fn converse(args: &Args) -> Result<Vec<String>, Box<dyn Error>> {
    let passages = match &args.folder {
        Some(folder) => corpus::read(folder, &[""])?,
        None => corpus::read(Path::new(env!("CARGO_MANIFEST_DIR")), &["README.md", "docs"])?,
    };
    if passages.is_empty() {
        return Err("no text in .md or .txt files there: name another folder".into());
    }
    terminal::say(&format!("Indexed {} passages.", passages.len()));
    let retriever = Arc::new(Retriever::new(passages));
    let model = Arc::new(Model::from_env()?);

    let started = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
    let conversations =
        if args.ask { conversations::from_terminal(&started) } else { conversations::scripted(&started) };
    let mut sessions = Vec::new();
    for conversation in conversations {
        sessions.push(conversation.session.clone());
        conversation.hold(retriever.clone(), model.clone()).await;
    }
    Ok(sessions)
}

/// Prints what was recorded, read back from where it is kept.
fn show(database: &Path, sessions: &[String]) -> Result<(), observe_store::Error> {
    let recorded = match SqliteStore::open_read_only(database) {
        Ok(store) => sessions.iter().filter_map(|id| store.session(None, id).transpose()).collect(),
        Err(observe_store::Error::Missing(_)) => Ok(Vec::new()),
        Err(error) => Err(error),
    }?;
    if recorded.is_empty() {
        terminal::say(
            "\nNothing is in the local database: OBSERVE_DESTINATIONS or OBSERVE_ENABLED leaves it out.",
        );
    }
    recorded.iter().for_each(terminal::session);
    Ok(())
}

/// Shows the page until Ctrl-C. A port that somebody else listens on is passed over for the next.
async fn serve(database: PathBuf, mut addr: SocketAddr, sessions: &[String]) -> Result<(), Box<dyn Error>> {
    let viewer = Viewer::new(database);
    let page = loop {
        match viewer.clone().listen(addr).await {
            Err(ViewerError::InUse(taken)) if taken.port() < u16::MAX => {
                terminal::say(&format!("\n{taken} is in use: trying the next port."));
                addr.set_port(taken.port() + 1);
            }
            other => break other?,
        }
    };
    terminal::heading("The page that shows all this, until Ctrl-C");
    for session in sessions {
        terminal::say(&format!("http://{}/sessions/{session}", page.addr));
    }
    tokio::signal::ctrl_c().await?;
    Ok(())
}
