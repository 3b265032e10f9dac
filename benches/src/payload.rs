//! What goes into every measured function and what comes out.

use std::hint::black_box;

use serde::Serialize;

/// The struct that is passed.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Request {
    /// A number.
    pub id: u64,
}

/// The struct that is returned.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Reply {
    /// A number.
    pub id: u64,
    /// A truth.
    pub ok: bool,
}

/// The string that is passed: 40 characters, none of which JSON escapes.
pub const PROMPT: &str = "Which of these two rivers is the longer?";

const _: () = assert!(PROMPT.len() == 40);

/// What every measured function does: a few instructions that do not fold away.
#[inline(always)]
pub fn work(prompt: &str, request: &Request) -> Reply {
    let id = black_box(request.id.wrapping_mul(31) + prompt.len() as u64);
    Reply { id, ok: id.is_multiple_of(2) }
}
