//! `ExportTraceServiceResponse`: what a receiver answers with status 200.

use serde_json::{Value, json};

use super::{
    decoder::DecodeError,
    protobuf::{Field, Reader, put_bytes, put_message, put_varint},
};

/// What a receiver says of a request that it took: how many spans it threw away, and why.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExportResponse {
    /// Spans that were rejected; they must not be sent again.
    pub rejected: u64,
    /// Why; with no span rejected, a warning. Empty if there is nothing to say.
    pub message: String,
}

impl ExportResponse {
    /// The largest response that is read: the 4 MiB that the OTLP specification recommends.
    pub const MAX_BYTES: usize = 4 << 20;

    /// Reads the body of a response.
    ///
    /// # Errors
    /// If it is larger than [`MAX_BYTES`](Self::MAX_BYTES) or not protobuf.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        if body.len() > Self::MAX_BYTES {
            return Err(DecodeError::TooLarge { limit: Self::MAX_BYTES });
        }
        let mut response = Self::default();
        let mut fields = Reader::new(body);
        while let Some((number, field)) = fields.next()? {
            let (1, Field::Bytes(partial_success)) = (number, field) else { continue };
            let mut fields = Reader::new(partial_success);
            while let Some(field) = fields.next()? {
                match field {
                    (1, Field::Varint(rejected)) => response.rejected = i64::max(rejected as i64, 0) as u64,
                    (2, Field::Bytes(message)) => {
                        response.message = String::from_utf8_lossy(message).into_owned()
                    }
                    _ => {}
                }
            }
        }
        Ok(response)
    }

    /// Reads the body of a response in JSON. `null`, in place of the whole or of a part, says nothing, as some receivers
    /// answer.
    ///
    /// # Errors
    /// If it is larger than [`MAX_BYTES`](Self::MAX_BYTES) or not JSON.
    ///
    /// ```
    /// # use observe_wire::ExportResponse;
    /// let body = br#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}"#;
    /// assert_eq!(ExportResponse::decode_json(body).unwrap().rejected, 2);
    /// assert_eq!(ExportResponse::decode_json(br#"{"partialSuccess":null}"#).unwrap(), ExportResponse::default());
    /// ```
    pub fn decode_json(body: &[u8]) -> Result<Self, DecodeError> {
        if body.len() > Self::MAX_BYTES {
            return Err(DecodeError::TooLarge { limit: Self::MAX_BYTES });
        }
        let body: Value = serde_json::from_slice(body).map_err(|_| DecodeError::Malformed)?;
        let part = &body["partialSuccess"];
        // 64-bit integers are texts in protobuf's JSON; some write numbers all the same.
        let rejected = match &part["rejectedSpans"] {
            Value::String(text) => text.parse().unwrap_or(0),
            number => number.as_u64().unwrap_or(0),
        };
        Ok(Self { rejected, message: part["errorMessage"].as_str().unwrap_or_default().to_owned() })
    }
}

/// [`export_response`] for a request in JSON.
pub fn export_response_json(rejected: u64, message: &str) -> Vec<u8> {
    let body = match rejected > 0 || !message.is_empty() {
        true => json!({"partialSuccess": {"rejectedSpans": rejected.to_string(), "errorMessage": message}}),
        false => json!({}),
    };
    body.to_string().into_bytes()
}

/// The body that answers a request of which `rejected` spans were not taken; empty if there is nothing to say.
pub fn export_response(rejected: u64, message: &str) -> Vec<u8> {
    let mut body = Vec::new();
    if rejected > 0 || !message.is_empty() {
        put_message(&mut body, 1, |out| {
            out.push(1 << 3);
            put_varint(out, rejected.min(i64::MAX as u64));
            put_bytes(out, 2, message.as_bytes());
        });
    }
    body
}
