//! A value that uses every method of a serializer, and how to make one at random.

use proptest::{prelude::*, sample::select};
use serde::{
    Serialize, Serializer,
    ser::{
        SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
        SerializeTupleStruct, SerializeTupleVariant,
    },
};

use crate::capture::text::head;

type Name = &'static str;

#[derive(Debug, Clone)]
pub(super) enum Any {
    Bool(bool),
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    I128(i128),
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    U128(u128),
    F32(f32),
    F64(f64),
    Char(char),
    Str(String),
    Display(String),
    Bytes(Vec<u8>),
    None,
    Unit,
    UnitStruct,
    UnitVariant(Name),
    Some(Box<Any>),
    NewtypeStruct(Box<Any>),
    NewtypeVariant(Name, Box<Any>),
    Seq(Vec<Any>, bool),
    Tuple(Vec<Any>),
    TupleStruct(Vec<Any>),
    TupleVariant(Name, Vec<Any>),
    /// Keys may be anything: most kinds fail.
    Map(Vec<(Any, Any)>, bool),
    Struct(Vec<(Name, Any)>),
    StructVariant(Name, Vec<(Name, Any)>),
}

fn name() -> impl Strategy<Value = Name> + Clone {
    select(
        &["id", "name", "max_tokens", "password", "q\"uote", "", "é", "line\nbreak", "sixteen_or_more!"][..],
    )
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[a-z \"\\\\\n\t\u{1}é漢]{0,20}", "[a-z\né]{240,280}", "[a-z\"]{1000}"]
}

fn key() -> impl Strategy<Value = Any> {
    let plain = prop_oneof![
        4 => text().prop_map(Any::Str),
        1 => text().prop_map(Any::Display),
        1 => any::<bool>().prop_map(Any::Bool),
        1 => any::<i8>().prop_map(Any::I8),
        1 => any::<i64>().prop_map(Any::I64),
        1 => any::<i128>().prop_map(Any::I128),
        1 => any::<u16>().prop_map(Any::U16),
        1 => any::<u64>().prop_map(Any::U64),
        1 => any::<u128>().prop_map(Any::U128),
        1 => any::<f32>().prop_map(Any::F32),
        1 => any::<f64>().prop_map(Any::F64),
        1 => any::<char>().prop_map(Any::Char),
        1 => name().prop_map(Any::UnitVariant),
    ];
    let wrapped = plain.prop_flat_map(|key| {
        let boxed = Box::new(key.clone());
        select(vec![key, Any::Some(boxed.clone()), Any::NewtypeStruct(boxed)])
    });
    let refused = select(vec![
        Any::None,
        Any::Unit,
        Any::UnitStruct,
        Any::Bytes(vec![1]),
        Any::Seq(vec![], true),
        Any::F64(f64::NAN),
    ]);
    prop_oneof![60 => wrapped, 1 => refused]
}

fn scalar() -> impl Strategy<Value = Any> {
    let numbers = prop_oneof![
        any::<i8>().prop_map(Any::I8),
        any::<i16>().prop_map(Any::I16),
        any::<i32>().prop_map(Any::I32),
        any::<i64>().prop_map(Any::I64),
        any::<i128>().prop_map(Any::I128),
        any::<u8>().prop_map(Any::U8),
        any::<u16>().prop_map(Any::U16),
        any::<u32>().prop_map(Any::U32),
        any::<u64>().prop_map(Any::U64),
        any::<u128>().prop_map(Any::U128),
    ];
    let special = select(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0][..]);
    prop_oneof![
        4 => numbers,
        1 => any::<f32>().prop_map(Any::F32),
        1 => any::<f64>().prop_map(Any::F64),
        1 => special.prop_map(Any::F64),
        1 => any::<bool>().prop_map(Any::Bool),
        1 => any::<char>().prop_map(Any::Char),
        4 => text().prop_map(Any::Str),
        1 => text().prop_map(Any::Display),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Any::Bytes),
        1 => select(vec![Any::None, Any::Unit, Any::UnitStruct]),
        1 => name().prop_map(Any::UnitVariant),
    ]
}

pub(super) fn any_value() -> impl Strategy<Value = Any> {
    scalar().prop_recursive(5, 60, 6, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        let many = prop::collection::vec(inner.clone(), 0..6);
        let fields = prop::collection::vec((name(), inner.clone()), 0..6);
        let entries = prop::collection::vec((key(), inner), 0..6);
        prop_oneof![
            boxed.clone().prop_map(Any::Some),
            boxed.clone().prop_map(Any::NewtypeStruct),
            (name(), boxed).prop_map(|(name, value)| Any::NewtypeVariant(name, value)),
            (many.clone(), any::<bool>()).prop_map(|(values, known)| Any::Seq(values, known)),
            many.clone().prop_map(Any::Tuple),
            many.clone().prop_map(Any::TupleStruct),
            (name(), many).prop_map(|(name, values)| Any::TupleVariant(name, values)),
            (entries, any::<bool>()).prop_map(|(entries, known)| Any::Map(entries, known)),
            fields.clone().prop_map(Any::Struct),
            (name(), fields).prop_map(|(name, fields)| Any::StructVariant(name, fields)),
        ]
    })
}

impl Serialize for Any {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Any::Bool(value) => serializer.serialize_bool(*value),
            Any::I8(value) => serializer.serialize_i8(*value),
            Any::I16(value) => serializer.serialize_i16(*value),
            Any::I32(value) => serializer.serialize_i32(*value),
            Any::I64(value) => serializer.serialize_i64(*value),
            Any::I128(value) => serializer.serialize_i128(*value),
            Any::U8(value) => serializer.serialize_u8(*value),
            Any::U16(value) => serializer.serialize_u16(*value),
            Any::U32(value) => serializer.serialize_u32(*value),
            Any::U64(value) => serializer.serialize_u64(*value),
            Any::U128(value) => serializer.serialize_u128(*value),
            Any::F32(value) => serializer.serialize_f32(*value),
            Any::F64(value) => serializer.serialize_f64(*value),
            Any::Char(value) => serializer.serialize_char(*value),
            Any::Str(value) => serializer.serialize_str(value),
            Any::Display(value) => {
                let (start, end) = value.split_at(head(value, value.len() / 2).len());
                serializer.collect_str(&format_args!("{start}{end}"))
            }
            Any::Bytes(value) => serializer.serialize_bytes(value),
            Any::None => serializer.serialize_none(),
            Any::Unit => serializer.serialize_unit(),
            Any::UnitStruct => serializer.serialize_unit_struct("UnitStruct"),
            Any::UnitVariant(name) => serializer.serialize_unit_variant("Any", 0, name),
            Any::Some(value) => serializer.serialize_some(value),
            Any::NewtypeStruct(value) => serializer.serialize_newtype_struct("New", value),
            Any::NewtypeVariant(name, value) => serializer.serialize_newtype_variant("Any", 0, name, value),
            Any::Seq(values, known) => {
                let mut seq = serializer.serialize_seq(known.then_some(values.len()))?;
                values.iter().try_for_each(|value| seq.serialize_element(value))?;
                seq.end()
            }
            Any::Tuple(values) => {
                let mut tuple = serializer.serialize_tuple(values.len())?;
                values.iter().try_for_each(|value| tuple.serialize_element(value))?;
                tuple.end()
            }
            Any::TupleStruct(values) => {
                let mut tuple = serializer.serialize_tuple_struct("Tuple", values.len())?;
                values.iter().try_for_each(|value| tuple.serialize_field(value))?;
                tuple.end()
            }
            Any::TupleVariant(name, values) => {
                let mut tuple = serializer.serialize_tuple_variant("Any", 0, name, values.len())?;
                values.iter().try_for_each(|value| tuple.serialize_field(value))?;
                tuple.end()
            }
            Any::Map(entries, known) => {
                let mut map = serializer.serialize_map(known.then_some(entries.len()))?;
                entries.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
                map.end()
            }
            Any::Struct(fields) => {
                let mut object = serializer.serialize_struct("Struct", fields.len())?;
                fields.iter().try_for_each(|(name, value)| object.serialize_field(name, value))?;
                object.end()
            }
            Any::StructVariant(name, fields) => {
                let mut object = serializer.serialize_struct_variant("Any", 0, name, fields.len())?;
                fields.iter().try_for_each(|(name, value)| object.serialize_field(name, value))?;
                object.end()
            }
        }
    }
}
