//! What happens while the host runs.
