//! The viewer of observe: the pages that show sessions and traces, the API behind them, and the door through which
//! other programs send their spans.
//!
//! The `observe` command is made of this; a program that wants to show its own traces can serve them itself:
//!
//! ```no_run
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let viewer = observe_viewer::Viewer::new(observe_store::default_path()?);
//! let running = viewer.listen("127.0.0.1:0".parse()?).await?;
//! println!("http://{}", running.addr);
//! running.wait().await;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod api;
mod guard;
mod receive;
mod viewer;
mod web;

#[cfg(test)]
mod test_data;

pub use viewer::{Running, Viewer, ViewerError};
