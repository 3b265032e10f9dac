//! The front door of observe.
