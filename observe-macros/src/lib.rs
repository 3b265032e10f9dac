//! The `#[observe]` attribute.
