//! Which attribute carries which field: one file per dialect, both directions in it.

pub(crate) mod known;
pub(crate) mod openinference;
pub(crate) mod said;
