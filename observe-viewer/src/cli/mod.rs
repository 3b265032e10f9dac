//! What can be said on the command line, and what happens then.

mod lists;
mod recover;
mod text;
mod tree;

use std::{
    io::{self, Write},
    net::{AddrParseError, IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use observe_model::{Status, TraceId};
use observe_store::{NoDataDirectory, SessionQuery, SqliteStore, Store, TraceQuery};
use observe_viewer::{Viewer, ViewerError};
use serde::Serialize;

/// Shows what programs recorded with observe.
///
/// Exit status: 0 done, 1 failed or not found, 2 wrong usage.
#[derive(Parser)]
#[command(name = "observe", version)]
struct Command {
    #[command(subcommand)]
    action: Action,
    /// The database [default: $OBSERVE_DIR/observe.db, else observe/observe.db in your data directory]
    #[arg(long, global = true, value_name = "PATH")]
    database: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Action {
    /// Serve the pages, and take spans as OTLP at /v1/traces
    View(View),
    /// List sessions, newest activity first
    Sessions(List),
    /// List traces, newest first
    Traces {
        /// Only those of this session
        #[arg(long)]
        session: Option<String>,
        /// Only those that stand like this: running, ok, error, cancelled, abandoned or interrupted
        #[arg(long)]
        status: Option<Status>,
        #[command(flatten)]
        list: List,
    },
    /// Show one trace as a tree
    Trace {
        /// Its id: 32 hexadecimal digits
        id: TraceId,
        /// Print the JSON of the API instead
        #[arg(long)]
        json: bool,
    },
    /// Bring what killed processes had recorded into the database
    ///
    /// A program that records does so too, when it starts. Journals lie in the directory `journal` beside the database;
    /// those of running processes are left alone.
    Recover {
        /// Print JSON instead: `spans`, and how many of them are `interrupted`
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
struct View {
    /// Where to listen; only a loopback address needs no --token
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4319", value_parser = listen_address)]
    listen: SocketAddr,
    /// Show nothing to whoever does not know this
    #[arg(long)]
    token: Option<String>,
}

#[derive(Args)]
struct List {
    /// Print the JSON of the API instead
    #[arg(long)]
    json: bool,
    /// Only those of this project
    #[arg(long)]
    project: Option<String>,
    /// At most so many, from 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// The page that follows the one whose JSON had this as its `next`
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
}

/// Why the command failed; what is wrong with its usage, clap says.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Path(#[from] NoDataDirectory),
    #[error(transparent)]
    Store(#[from] observe_store::Error),
    #[error(transparent)]
    Viewer(#[from] ViewerError),
    #[error("there is no trace {0} in the database: `observe traces` lists those that are")]
    NoSuchTrace(TraceId),
    #[error("what a killed process recorded could not be recovered in full: {0}")]
    Recover(#[source] io::Error),
    #[error("cannot write the answer ({0})")]
    Output(#[from] io::Error),
    #[error("cannot write the answer as JSON ({0})")]
    Json(#[from] serde_json::Error),
}

impl Failure {
    /// Whether whoever read the output has simply had enough, like `head`.
    fn is_closed_pipe(&self) -> bool {
        let kind = match self {
            Self::Output(error) => Some(error.kind()),
            Self::Json(error) => error.io_error_kind(),
            _ => None,
        };
        kind == Some(io::ErrorKind::BrokenPipe)
    }
}

/// Does what the command line says.
pub(crate) fn main() -> ExitCode {
    match run(Command::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_closed_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody can be told if stderr is closed as well.
            let _ = writeln!(io::stderr(), "observe: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(Command { action, database }: Command) -> Result<(), Failure> {
    let database = database.map_or_else(observe_store::default_path, Ok)?;
    // Colours only on a terminal, and not where NO_COLOR is set.
    let mut out = anstream::stdout().lock();
    match action {
        Action::View(view) => return serve(view, database),
        Action::Sessions(list) => {
            let query = SessionQuery { project: list.project, limit: list.limit.into(), after: list.after };
            let page = SqliteStore::open_read_only(&database)?.sessions(&query)?;
            if list.json { json(&mut out, &page)? } else { lists::sessions(&mut out, &page)? }
        }
        Action::Traces { session, status, list } => {
            let List { project, limit, after, .. } = list;
            let query = TraceQuery { project, session, status, limit: limit.into(), after };
            let page = SqliteStore::open_read_only(&database)?.traces(&query)?;
            if list.json { json(&mut out, &page)? } else { lists::traces(&mut out, &page)? }
        }
        Action::Trace { id, json: as_json } => {
            let trace = SqliteStore::open_read_only(&database)?.trace(id)?;
            let trace = trace.ok_or(Failure::NoSuchTrace(id))?;
            if as_json { json(&mut out, &trace)? } else { tree::trace(&mut out, &trace)? }
        }
        Action::Recover { json: as_json } => {
            let recovered = recover::recover(&database)?;
            if as_json {
                json(&mut out, &recover::as_json(&recovered))?;
            } else {
                recover::tell(&mut out, &recovered)?;
            }
        }
    }
    Ok(out.flush()?)
}

fn json(out: &mut impl Write, answer: &impl Serialize) -> Result<(), Failure> {
    let mut out = io::BufWriter::new(out);
    serde_json::to_writer(&mut out, answer)?;
    writeln!(out)?;
    Ok(out.flush()?)
}

/// Serves until Ctrl-C.
fn serve(View { listen, token }: View, database: PathBuf) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let viewer = Viewer::new(&database);
        let needs_token = token.is_some();
        let viewer = token.into_iter().fold(viewer, Viewer::token);
        let running = viewer.listen(listen).await?;
        let how = if needs_token { "?token=YOUR_TOKEN" } else { "" };
        let mut out = io::stdout();
        writeln!(out, "http://{}/{how}", reachable(running.addr))?;
        writeln!(out, "shows {} on {} until Ctrl-C", database.display(), running.addr)?;
        out.flush()?;
        tokio::select! {
            () = running.wait() => {}
            stop = tokio::signal::ctrl_c() => stop?,
        }
        Ok(())
    })
}

/// An address that this machine's browser reaches.
fn reachable(mut addr: SocketAddr) -> SocketAddr {
    match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => addr.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => addr.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    addr
}

/// An address, where `localhost` means the loopback address that everybody has.
fn listen_address(text: &str) -> Result<SocketAddr, AddrParseError> {
    match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}").parse(),
        None => text.parse(),
    }
}
