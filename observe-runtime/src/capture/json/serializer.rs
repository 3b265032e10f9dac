//! The serializer's front: each kind of value to what writes it.

use std::fmt::Display;

use serde::{Serialize, Serializer, ser::SerializeSeq};

use super::{
    At, Done, Error, Writer,
    compound::{self, Array, Object},
    text::{self, Sink},
};

macro_rules! integers {
    ($($method:ident: $type:ty as $wide:ident => $put:expr;)*) => {$(
        #[inline]
        fn $method(self, value: $type) -> Done {
            let put: fn(&mut Writer<S>, usize, $wide) -> usize = $put;
            Ok(put(self.writer, self.at, value.into()))
        }
    )*};
}

impl<'a, S: Sink> Serializer for At<'a, S> {
    type Ok = usize;
    type Error = Error;
    type SerializeSeq = Array<'a, S>;
    type SerializeTuple = Array<'a, S>;
    type SerializeTupleStruct = Array<'a, S>;
    type SerializeTupleVariant = Array<'a, S>;
    type SerializeMap = Object<'a, S>;
    type SerializeStruct = Object<'a, S>;
    type SerializeStructVariant = Object<'a, S>;

    integers! {
        serialize_u8: u8 as u64 => |writer, at, value| text::put_u64(&mut writer.sink, at, value);
        serialize_u16: u16 as u64 => |writer, at, value| text::put_u64(&mut writer.sink, at, value);
        serialize_u32: u32 as u64 => |writer, at, value| text::put_u64(&mut writer.sink, at, value);
        serialize_u64: u64 as u64 => |writer, at, value| text::put_u64(&mut writer.sink, at, value);
        serialize_i8: i8 as i64 => |writer, at, value| writer.integer(at, value);
        serialize_i16: i16 as i64 => |writer, at, value| writer.integer(at, value);
        serialize_i32: i32 as i64 => |writer, at, value| writer.integer(at, value);
        serialize_i64: i64 as i64 => |writer, at, value| writer.integer(at, value);
        serialize_u128: u128 as u128 => |writer, at, value| writer.sink.put(at, itoa::Buffer::new().format(value).as_bytes());
        serialize_i128: i128 as i128 => |writer, at, value| writer.sink.put(at, itoa::Buffer::new().format(value).as_bytes());
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Done {
        Ok(self.writer.boolean(self.at, value))
    }

    #[inline]
    fn serialize_f32(self, value: f32) -> Done {
        if !value.is_finite() {
            return self.serialize_unit();
        }
        Ok(self.writer.float(self.at, value))
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Done {
        if !value.is_finite() {
            return self.serialize_unit();
        }
        Ok(self.writer.float(self.at, value))
    }

    #[inline]
    fn serialize_char(self, value: char) -> Done {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Done {
        Ok(self.writer.string(self.at, value))
    }

    fn serialize_bytes(self, value: &[u8]) -> Done {
        let mut array = self.serialize_seq(Some(value.len()))?;
        value.iter().try_for_each(|byte| array.serialize_element(byte))?;
        array.end()
    }

    #[inline]
    fn serialize_none(self) -> Done {
        self.serialize_unit()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        self.layer(value)
    }

    #[inline]
    fn serialize_unit(self) -> Done {
        Ok(self.writer.sink.put_array(self.at, *b"null"))
    }

    #[inline]
    fn serialize_unit_struct(self, _name: &'static str) -> Done {
        self.serialize_unit()
    }

    #[inline]
    fn serialize_unit_variant(self, _name: &'static str, _index: u32, variant: &'static str) -> Done {
        self.serialize_str(variant)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _name: &'static str, value: &T) -> Done {
        self.layer(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Done {
        compound::newtype_variant(self, variant, value)
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, Error> {
        Ok(Array::open(self, len))
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, Error> {
        Ok(Array::open(self, Some(len)))
    }

    #[inline]
    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, Error> {
        Ok(Array::open(self, Some(len)))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        Ok(Array::open_variant(self, variant, len))
    }

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, Error> {
        Ok(Object::open(self, len))
    }

    #[inline]
    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Self::SerializeStruct, Error> {
        Ok(Object::open_struct(self, name, len))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, Error> {
        Ok(Object::open_variant(self, variant, len))
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Done {
        self.writer.display(self.at, value, |_| {})
    }
}
