//! Trace and span ids as W3C Trace Context and OpenTelemetry define them: 16 and 8 bytes, never all zero.

use std::{fmt, num::NonZeroU64, num::NonZeroU128, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// Why a text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {digits} lower-case hexadecimal digits, not all zero")]
pub struct ParseIdError {
    what: &'static str,
    digits: usize,
}

/// Defines one id type over a non-zero integer: bytes, hex, serde and seed.
macro_rules! id {
    ($name:ident, $inner:ty, $int:ty, $bytes:literal, $what:literal, $example:literal, $(#[$doc:meta])*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name($inner);

        impl $name {
            /// The id of these big-endian bytes; `None` if all are zero.
            pub const fn from_bytes(bytes: [u8; $bytes]) -> Option<Self> {
                Self::from_int(<$int>::from_be_bytes(bytes))
            }

            /// The id of this number; `None` for zero.
            pub const fn from_int(int: $int) -> Option<Self> {
                match <$inner>::new(int) {
                    Some(id) => Some(Self(id)),
                    None => None,
                }
            }

            /// The id as a number.
            pub const fn to_int(self) -> $int {
                self.0.get()
            }

            /// The id as big-endian bytes, as the wire carries it.
            pub const fn to_bytes(self) -> [u8; $bytes] {
                self.0.get().to_be_bytes()
            }

            #[doc = concat!("The id that belongs to `seed`: the first ", stringify!($bytes), " bytes of its SHA-256 digest.")]
            ///
            /// Equal to what the Python and JavaScript SDKs of Langfuse and InteractiveAI make of the same seed,
            /// so that a ticket number or a request id finds its trace everywhere.
            ///
            /// ```
            #[doc = concat!("use observe_model::", stringify!($name), ";")]
            #[doc = concat!("assert_eq!(", stringify!($name), "::from_seed(\"your-trace-id\").to_string(), \"", $example, "\");")]
            /// ```
            pub fn from_seed(seed: impl AsRef<[u8]>) -> Self {
                let digest = Sha256::digest(seed.as_ref());
                let mut bytes = [0; $bytes];
                bytes.copy_from_slice(&digest[..$bytes]);
                // A digest that begins with this many zero bytes has never been seen; 1 keeps the type's promise.
                Self::from_bytes(bytes).unwrap_or(Self(<$inner>::MIN))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:0width$x}", self.0, width = $bytes * 2)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let error = ParseIdError { what: $what, digits: $bytes * 2 };
                let lower_hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
                if text.len() != $bytes * 2 || !text.bytes().all(lower_hex) {
                    return Err(error);
                }
                <$int>::from_str_radix(text, 16).ok().and_then(Self::from_int).ok_or(error)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    TraceId, NonZeroU128, u128, 16, "a trace id", "f21c0b8fc2d39e41c10b1fdb8024101b",
    /// Names one trace: 16 bytes, printed as 32 lower-case hexadecimal digits.
);
id!(
    SpanId, NonZeroU64, u64, 8, "a span id", "f21c0b8fc2d39e41",
    /// Names one span within a trace: 8 bytes, printed as 16 lower-case hexadecimal digits.
);

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with the InteractiveAI and Langfuse Python clients.
    const SEEDED: [(&str, &str, &str); 6] = [
        ("your-trace-id", "f21c0b8fc2d39e41c10b1fdb8024101b", "f21c0b8fc2d39e41"),
        ("session-456", "da8e78131d7a9924039c74c39a01e0a1", "da8e78131d7a9924"),
        ("\u{e9}\u{1f600}", "1184d1f608158eea09d2975655758922", "1184d1f608158eea"),
        ("turn-2", "ff33c94032d9f01447a779689c1dff6a", "ff33c94032d9f014"),
        ("user-123-feedback", "", "bb0d8046cc730839"),
        ("item-789012", "", "ee3384f3cc0c09b6"),
    ];

    #[test]
    fn seeded_ids_equal_those_of_the_python_clients() {
        for (seed, trace, span) in SEEDED {
            assert_eq!(SpanId::from_seed(seed).to_string(), span, "{seed}");
            if !trace.is_empty() {
                assert_eq!(TraceId::from_seed(seed).to_string(), trace, "{seed}");
            }
        }
    }

    #[test]
    fn ids_print_and_parse_back() {
        let id: TraceId = "00000000000000000000000000000abc".parse().unwrap();
        assert_eq!(id.to_string(), "00000000000000000000000000000abc");
        assert_eq!(TraceId::from_bytes(id.to_bytes()), Some(id));
        assert_eq!(serde_json::from_str::<TraceId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
    }

    #[test]
    fn anything_but_lower_hex_of_the_right_length_is_refused() {
        for bad in [
            "",
            "abc",
            "0000000000000000",
            "ABCDEF0123456789",
            "+bcdef0123456789",
            "zzzzzzzzzzzzzzzz",
            "abcdef012345678\u{e9}",
        ] {
            assert!(bad.parse::<SpanId>().is_err(), "{bad:?}");
        }
        let text = "nope".parse::<TraceId>().unwrap_err().to_string();
        assert_eq!(text, "a trace id must be 32 lower-case hexadecimal digits, not all zero");
    }
}
