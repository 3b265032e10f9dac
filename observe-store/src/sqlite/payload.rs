//! Inputs and outputs: the first characters beside the span, a long text once under its hash.

use std::io::{self, Read, Write};

use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use rusqlite::{Connection, params, types::Type};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// Characters of a text that stand in the core row. A text that is no longer has no payload row.
const HEAD: usize = 200;
/// Bytes up to which deflate saves nothing worth the time.
const COMPRESS_ABOVE: usize = 256;

/// First 16 bytes of the text's SHA-256.
pub(super) type Hash = [u8; 16];

/// A text, split into what is listed and what is only shown.
pub(super) struct Payload<'a> {
    text: &'a str,
    /// Its first 200 characters.
    pub(super) head: &'a str,
    /// Where the whole is kept, if the head is not all of it.
    pub(super) hash: Option<Hash>,
}

impl<'a> Payload<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let head = text.char_indices().nth(HEAD).map_or(text, |(end, _)| &text[..end]);
        let hash = (head.len() < text.len()).then(|| {
            let mut hash = Hash::default();
            hash.copy_from_slice(&Sha256::digest(text)[..16]);
            hash
        });
        Self { text, head, hash }
    }

    /// Keeps the text unless it is there already.
    pub(super) fn store(&self, connection: &Connection) -> rusqlite::Result<()> {
        let Some(hash) = self.hash else { return Ok(()) };
        let mut known = connection.prepare_cached("SELECT 1 FROM payloads WHERE hash = ?1")?;
        if known.exists([hash])? {
            return Ok(());
        }
        let packed = (self.text.len() > COMPRESS_ABOVE).then(|| deflate(self.text)).transpose();
        let packed = packed.map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
        let (encoding, body) = match &packed {
            Some(packed) if packed.len() < self.text.len() => ("deflate", packed.as_slice()),
            _ => ("raw", self.text.as_bytes()),
        };
        connection
            .prepare_cached("INSERT INTO payloads (hash, encoding, body) VALUES (?1, ?2, ?3)")?
            .execute(params![hash, encoding, body])?;
        Ok(())
    }
}

fn deflate(text: &str) -> io::Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes())?;
    encoder.finish()
}

/// The text of a payload row.
pub(super) fn unpack(encoding: &str, body: Vec<u8>) -> rusqlite::Result<String> {
    let unreadable = |e: Box<dyn std::error::Error + Send + Sync>| {
        rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, e)
    };
    if encoding == "raw" {
        return String::from_utf8(body).map_err(|e| unreadable(e.into()));
    }
    let mut text = String::new();
    DeflateDecoder::new(body.as_slice()).read_to_string(&mut text).map_err(|e| unreadable(e.into()))?;
    Ok(text)
}

/// The text as it was recorded, blanks around it aside; as a JSON string if it is not JSON.
pub(super) fn json(text: String) -> Option<Box<RawValue>> {
    // A string is always JSON, so this is always `Some`.
    RawValue::from_string(text.clone()).or_else(|_| serde_json::value::to_raw_value(&text)).ok()
}
