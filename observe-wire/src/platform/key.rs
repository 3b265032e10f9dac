//! What tells the posts of a trace apart.

use observe_model::{Json, Record, SpanId, TraceId};

/// What tells a [`Post`](super::Post) from the others of its trace: the same whenever and by whichever process it is written,
/// so that a process can go on with a trace that another one had begun to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(u64);

impl Key {
    /// The first post of a trace, before which the platform does not know it.
    pub const BEGIN: Self = Self(0);

    /// The last one, after which the platform takes it to have ended.
    pub const END: Self = Self(1);

    /// The post by which a span has arrived.
    pub fn span(id: SpanId) -> Self {
        Self::of("span", &id.to_bytes())
    }

    /// The post of a score or metric; of another one under the same id it is another.
    pub(super) fn of_record(record: &Record) -> Self {
        Self::of("record", Json::of(record).as_str().as_bytes())
    }

    /// Any other: `which` of those that tell `what`.
    pub(super) fn of(what: &str, which: &[u8]) -> Self {
        Self(hash(&[what.as_bytes(), &[0], which]))
    }

    /// The key among those of all traces.
    ///
    /// ```
    /// use observe_model::TraceId;
    /// use observe_wire::platform::Key;
    /// let [a, b] = ["a", "b"].map(TraceId::from_seed);
    /// assert_eq!(Key::END.of_trace(a), Key::END.of_trace(a));
    /// assert_ne!(Key::END.of_trace(a), Key::END.of_trace(b));
    /// ```
    pub fn of_trace(self, trace: TraceId) -> u64 {
        hash(&[&trace.to_bytes(), &self.0.to_le_bytes()])
    }
}

/// FNV-1a. It stands in files, so that it has to stay the same.
///
/// Source: <https://datatracker.ietf.org/doc/html/draft-eastlake-fnv>.
fn hash(parts: &[&[u8]]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.iter());
    bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_what_they_are_in_files() {
        assert_eq!(hash(&[b"foo", b"bar"]), 0x8594_4171_F739_67E8);
        let keys = [Key::BEGIN, Key::END, Key::span(SpanId::from_seed("a")), Key::of("input", b"a")];
        let all: std::collections::HashSet<_> = keys
            .iter()
            .flat_map(|key| ["a", "b"].map(|trace| key.of_trace(TraceId::from_seed(trace))))
            .collect();
        assert_eq!(all.len(), 8);
    }
}
