//! Points in time.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Nanoseconds since 1970-01-01 00:00 UTC, as OTLP counts them; good until the year 2554.
///
/// Prints, parses and serialises as RFC 3339 in UTC, because a JSON number of this size loses digits in JavaScript.
///
/// ```
/// use observe_model::Timestamp;
/// assert_eq!(Timestamp(1_500_000_000_000_000_001).to_string(), "2017-07-14T02:40:00.000000001Z");
/// assert_eq!("2017-07-14T02:40:00.000000001Z".parse(), Ok(Timestamp(1_500_000_000_000_000_001)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub u64);

/// A text that is not an RFC 3339 time between the years 1970 and 2554.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a time like 2017-07-14T02:40:00Z, in UTC, from 1970 to 2554")]
pub struct ParseTimestampError;

impl Timestamp {
    /// The wall clock's time; 0 if the clock stands before 1970.
    pub fn now() -> Self {
        Self::of(SystemTime::now()).unwrap_or_default()
    }

    /// Nanoseconds from `earlier` to `self`; 0 if `earlier` is later.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    fn of(time: SystemTime) -> Option<Self> {
        let nanos = time.duration_since(UNIX_EPOCH).ok()?.as_nanos();
        u64::try_from(nanos).ok().map(Self)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339_nanos(UNIX_EPOCH + Duration::from_nanos(self.0)).fmt(f)
    }
}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, ParseTimestampError> {
        humantime::parse_rfc3339(text).ok().and_then(Self::of).ok_or(ParseTimestampError)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
