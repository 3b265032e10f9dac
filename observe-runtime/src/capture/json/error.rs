//! Why a capture ends early.

use std::fmt::{self, Display, Write};

use super::text;

/// The longest message kept, in bytes.
const LONGEST: usize = 200;

/// Why a `serialize` returned early: its message, or none if the writer already knows: the value was cut and is complete,
/// or the failure has been noted.
#[derive(Debug)]
pub(crate) struct Error(pub(super) Option<Box<Message>>);

/// An error's text, bounded.
#[derive(Debug)]
pub(super) struct Message {
    text: [u8; LONGEST],
    len: usize,
}

impl Default for Message {
    fn default() -> Self {
        Message { text: [0; LONGEST], len: 0 }
    }
}

impl Write for Message {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let piece = text::head(piece, LONGEST - self.len).as_bytes();
        self.text[self.len..self.len + piece.len()].copy_from_slice(piece);
        self.len += piece.len();
        Ok(())
    }
}

impl Message {
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.text[..self.len]).unwrap_or_default()
    }
}

impl serde::ser::Error for Error {
    #[cold]
    fn custom<T: Display>(message: T) -> Self {
        let mut text = Message::default();
        if write!(text, "{message}").is_err() {
            text.len = 0;
        }
        Error(Some(Box::new(text)))
    }
}

impl std::error::Error for Error {}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_ref().map_or("the value was not captured whole", |message| message.text()))
    }
}
