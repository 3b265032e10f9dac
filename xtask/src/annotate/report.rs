//! What was annotated, and what was not.

use std::{collections::BTreeMap, fmt};

/// Why a function cannot be observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    /// It may run at compile time.
    Const,
    /// It stands in the text of a macro, which is no function yet.
    InMacro,
    /// It is under another attribute that cannot be combined with this one.
    Under(&'static str),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Const => f.write_str("`const fn`"),
            Self::InMacro => f.write_str("in the body of a macro"),
            Self::Under(attribute) => write!(f, "under `#[{attribute}]`"),
        }
    }
}

/// The counts.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) annotated: usize,
    pub(crate) left_out: BTreeMap<Reason, usize>,
}

impl Report {
    pub(crate) fn leave_out(&mut self, reason: Reason, functions: usize) {
        if functions > 0 {
            *self.left_out.entry(reason).or_default() += functions;
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left_out: usize = self.left_out.values().sum();
        let seen = self.annotated + left_out;
        write!(f, "{seen} functions: {} annotated, {left_out} left out", self.annotated)?;
        for (reason, count) in &self.left_out {
            write!(f, "\n  {count} {reason}")?;
        }
        Ok(())
    }
}
