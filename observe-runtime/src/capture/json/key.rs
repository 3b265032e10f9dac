//! What may stand as a map's key, and text that is JSON already: serializers for little more than strings.

use std::fmt::Display;

use serde::ser::{Error as _, Impossible, Serialize, Serializer};

use super::{
    super::{is_secret, text::Sink},
    At, Error, Writer,
};

/// The longest key that is looked at when it comes from a `Display`, in bytes.
const SEEN: usize = 64;

/// Writes a key as a string and says whether it means a secret; or, `verbatim`, a string as it is.
pub(super) struct Key<'a, S> {
    pub(super) writer: &'a mut Writer<S>,
    pub(super) at: usize,
    pub(super) verbatim: bool,
}

/// Where it ends, and whether it means a secret.
type Secret = Result<(usize, bool), Error>;

impl<S: Sink> Key<'_, S> {
    /// Writes a key that is a number or a boolean: in quotes.
    fn quoted<T: Serialize>(self, value: T) -> Secret {
        if self.verbatim {
            return self.refuse();
        }
        let at = self.writer.sink.put_array(self.at, [b'"']);
        let at = value.serialize(At { writer: &mut *self.writer, at })?;
        Ok((self.writer.sink.put_array(at, [b'"']), false))
    }

    #[cold]
    fn refuse(self) -> Secret {
        Err(Error::custom(if self.verbatim {
            "its raw JSON is not a string"
        } else {
            "key must be a string"
        }))
    }
}

macro_rules! quoted {
    ($($method:ident: $type:ty),*) => {$(
        fn $method(self, value: $type) -> Secret {
            self.quoted(value)
        }
    )*};
}

impl<S: Sink> Serializer for Key<'_, S> {
    type Ok = (usize, bool);
    type Error = Error;
    type SerializeSeq = Impossible<(usize, bool), Error>;
    type SerializeTuple = Impossible<(usize, bool), Error>;
    type SerializeTupleStruct = Impossible<(usize, bool), Error>;
    type SerializeTupleVariant = Impossible<(usize, bool), Error>;
    type SerializeMap = Impossible<(usize, bool), Error>;
    type SerializeStruct = Impossible<(usize, bool), Error>;
    type SerializeStructVariant = Impossible<(usize, bool), Error>;

    quoted! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_i128: i128, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_u128: u128
    }

    fn serialize_f32(self, value: f32) -> Secret {
        if value.is_finite() { self.quoted(value) } else { Err(Error::custom("float key must be finite")) }
    }

    fn serialize_f64(self, value: f64) -> Secret {
        if value.is_finite() { self.quoted(value) } else { Err(Error::custom("float key must be finite")) }
    }

    fn serialize_char(self, value: char) -> Secret {
        if self.verbatim {
            return self.refuse();
        }
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Secret {
        if self.verbatim {
            return self.writer.verbatim(self.at, value).map(|at| (at, false));
        }
        let at = self.writer.string(self.at, value);
        Ok((at, self.writer.limits.redact && is_secret(value)))
    }

    fn serialize_unit_variant(self, _name: &'static str, _index: u32, variant: &'static str) -> Secret {
        if self.verbatim {
            return self.refuse();
        }
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _name: &'static str, value: &T) -> Secret {
        if self.verbatim {
            return self.refuse();
        }
        value.serialize(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Secret {
        if self.verbatim {
            return self.refuse();
        }
        value.serialize(self)
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Secret {
        if self.verbatim {
            return self.writer.verbatim(self.at, &value.to_string()).map(|at| (at, false));
        }
        let (mut seen, mut len) = ([0; SEEN], 0);
        let at = self.writer.display(self.at, value, |piece| {
            if let Some(to) = seen.get_mut(len..len + piece.len()) {
                to.copy_from_slice(piece.as_bytes());
            }
            len += piece.len();
        })?;
        let name = seen.get(..len).and_then(|bytes| std::str::from_utf8(bytes).ok());
        Ok((at, self.writer.limits.redact && name.is_some_and(is_secret)))
    }

    fn serialize_bytes(self, _value: &[u8]) -> Secret {
        self.refuse()
    }

    fn serialize_none(self) -> Secret {
        self.refuse()
    }

    fn serialize_unit(self) -> Secret {
        self.refuse()
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Secret {
        self.refuse()
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Secret {
        self.refuse()
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<Self::SerializeSeq, Error> {
        Err(self.refuse().err().unwrap_or(Error(None)))
    }

    fn serialize_tuple(self, _len: usize) -> Result<Self::SerializeTuple, Error> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeTupleStruct, Error> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        self.serialize_seq(None)
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Self::SerializeMap, Error> {
        Err(self.refuse().err().unwrap_or(Error(None)))
    }

    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<Self::SerializeStruct, Error> {
        self.serialize_map(None)
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeStructVariant, Error> {
        self.serialize_map(None)
    }
}
