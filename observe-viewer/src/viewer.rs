//! Puts the rooms together and opens the door.

use std::{io, net::SocketAddr, path::PathBuf};

use axum::{Router, middleware};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    api::{self, App},
    guard::{self, Guard},
    web,
};

/// Why the viewer does not listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ViewerError {
    /// Another machine could read everything.
    #[error(
        "{0} can be reached from other machines: set a token (--token), or listen on a loopback address like 127.0.0.1:4319"
    )]
    NeedsToken(SocketAddr),
    /// A token that anybody guesses.
    #[error("the token is empty: give it at least one character")]
    EmptyToken,
    /// Somebody else listens there.
    #[error("{0} is in use, perhaps by another `observe view`: end it, or choose another port")]
    InUse(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {addr} ({source}): choose another address")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// A viewer of one database, which need not exist yet.
#[derive(Debug, Clone)]
pub struct Viewer {
    database: PathBuf,
    token: Option<String>,
}

impl Viewer {
    /// A viewer of the database at `database`.
    pub fn new(database: impl Into<PathBuf>) -> Self {
        Self { database: database.into(), token: None }
    }

    /// Shows nothing to whoever does not know `token`: as `Authorization: Bearer`, or once as `?token=` of a page.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Begins to serve on `addr`; port 0 takes any free one. Needs a tokio runtime with time and net.
    ///
    /// # Errors
    /// If the address is not loopback and no token is set, or it cannot be listened on.
    pub async fn listen(self, addr: SocketAddr) -> Result<Running, ViewerError> {
        if self.token.as_deref() == Some("") {
            return Err(ViewerError::EmptyToken);
        }
        if self.token.is_none() && !addr.ip().is_loopback() {
            return Err(ViewerError::NeedsToken(addr));
        }
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ViewerError::InUse(addr),
            _ => ViewerError::Listen { addr, source },
        };
        let listener = TcpListener::bind(addr).await.map_err(failed)?;
        let addr = listener.local_addr().map_err(failed)?;
        let guard = Guard::new(self.token.as_deref(), addr.port());
        let (app, watch) = App::new(self.database);
        let router = router(app, guard);
        let task = tokio::spawn(async move {
            tokio::select! {
                // Neither comes to an end: axum logs failed connections and goes on.
                _ = axum::serve(listener, router) => {}
                () = watch => {}
            }
        });
        Ok(Running { addr, task })
    }
}

fn router(app: App, guard: Guard) -> Router {
    let router =
        api::routes().into_iter().fold(Router::new(), |router, (path, method)| router.route(path, method));
    router
        .merge(web::routes())
        .fallback(api::no_such_route)
        .method_not_allowed_fallback(api::wrong_method)
        .layer(middleware::from_fn_with_state(guard, guard::check))
        .layer(middleware::map_response(web::secure))
        .with_state(app)
}

/// A viewer that takes connections until this is dropped; those that are open then end with the runtime.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    task: JoinHandle<()>,
}

impl Running {
    /// Serves for as long as the runtime lives.
    pub async fn wait(mut self) {
        // An error is a panic of ours or the runtime's end; there is nothing to wait for either way.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}
