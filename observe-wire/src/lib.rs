//! How the model is written and read on the wire: OTLP traces in the words that each platform understands ([`Dialect`]).
//!
//! - [`Encoder`] writes spans into the body of an OTLP export request; [`ExportResponse`] reads the answer.
//! - [`decode`] reads such a body, from any sender, in any dialect; [`export_response`] writes the answer.
//! - [`to_json`] makes such a body OTLP's JSON, whatever the dialect, and [`decode_json`] reads that.
//!
//! - [`journal`] is what a recording process writes for itself, and how to read it after the process died.
//!
//! - [`mask`] takes out of it what is not to be written at all.
//!
//! - [`platform`] is what platforms are told that have a JSON of their own.
//!
//! - [`w3c`] is what services tell each other about the trace they work on.
//!
//! `docs/WIRE.md` says which field of the model travels under which key, and what the wire cannot carry.
#![forbid(unsafe_code)]

mod dialect;
pub mod journal;
pub mod mask;
mod otlp;
pub mod platform;
mod provider;
pub mod w3c;

pub use dialect::{Dialect, Extras};
pub use otlp::{
    decoder::{DecodeError, Decoded, DecodedResource, Limits, SpanError, decode},
    encoder::Encoder,
    json::{decode_json, to_json},
    response::{ExportResponse, export_response, export_response_json},
    split,
};
