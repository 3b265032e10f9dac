//! OTLP, the OpenTelemetry protocol: messages, without the meaning of their attributes.

pub(crate) mod attributes;
pub(crate) mod decoder;
pub(crate) mod encoder;
mod flat;
pub(crate) mod json;
pub(crate) mod protobuf;
pub(crate) mod response;
pub mod split;
