//! Arrays and objects: each element or field asks first whether there is room for it.

use serde::ser::{self, Serialize};

use super::{
    super::{
        is_secret,
        text::{self, Sink},
    },
    At, Cut, Done, Error, Writer,
    key::Key,
};

/// The struct by whose name `serde_json` hands over raw JSON, and its only field.
const RAW_VALUE: &str = "$serde_json::private::RawValue";

/// The same for a number given as text.
const NUMBER: &str = "$serde_json::private::Number";

/// Where an array or object stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its bracket is written with its first element.
    First,
    Rest,
    /// A key is written and its value is not.
    Keyed,
    /// A key that means a secret is written, its value already redacted.
    Secret,
    /// Closed early: nothing more is written.
    Closed,
    /// No object: a field holds JSON text.
    Verbatim,
}

pub(crate) struct Array<'a, S> {
    writer: &'a mut Writer<S>,
    at: usize,
    state: State,
    len: Option<usize>,
    written: usize,
    in_variant: bool,
}

impl<'a, S: Sink> Array<'a, S> {
    #[inline(always)]
    pub(super) fn open(At { writer, at }: At<'a, S>, len: Option<usize>) -> Self {
        let (at, state) = open(writer, at);
        Array { writer, at, state, len, written: 0, in_variant: false }
    }

    pub(super) fn open_variant(At { writer, at }: At<'a, S>, variant: &'static str, len: usize) -> Self {
        let (at, state) = open_variant(writer, at, variant);
        Array { writer, at, state, len: Some(len), written: 0, in_variant: true }
    }

    #[inline(always)]
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        if self.state == State::Closed || self.writer.full(self.at) {
            let more = remaining(self.len, self.written);
            self.at = cut_array(self.writer, self.at, self.state, more, self.in_variant);
            self.state = State::Closed;
            return Err(self.writer.complete(self.at));
        }
        let open = if self.state == State::First { b'[' } else { b',' };
        self.at = self.writer.sink.put_array(self.at, [open]);
        self.state = State::Rest;
        self.written += 1;
        self.at = inner(self.writer, self.at, value)?;
        Ok(())
    }

    #[inline(always)]
    fn close(self) -> Done {
        let Self { writer, at, .. } = self;
        let mut at = match self.state {
            State::Closed => {
                writer.complete_at = None;
                return Ok(at);
            }
            State::First => writer.sink.put_array(at, *b"[]"),
            _ => writer.sink.put_array(at, [b']']),
        };
        if self.in_variant {
            at = writer.sink.put_array(at, [b'}']);
        }
        writer.depth += levels(self.in_variant);
        Ok(at)
    }
}

pub(crate) struct Object<'a, S> {
    writer: &'a mut Writer<S>,
    at: usize,
    state: State,
    len: Option<usize>,
    written: usize,
    in_variant: bool,
}

impl<'a, S: Sink> Object<'a, S> {
    #[inline(always)]
    pub(super) fn open(At { writer, at }: At<'a, S>, len: Option<usize>) -> Self {
        let (at, state) = open(writer, at);
        Object { writer, at, state, len, written: 0, in_variant: false }
    }

    #[inline(always)]
    pub(super) fn open_struct(place: At<'a, S>, name: &'static str, len: usize) -> Self {
        if name == RAW_VALUE || name == NUMBER {
            let At { writer, at } = place;
            return Object { writer, at, state: State::Verbatim, len: None, written: 0, in_variant: false };
        }
        Self::open(place, Some(len))
    }

    pub(super) fn open_variant(At { writer, at }: At<'a, S>, variant: &'static str, len: usize) -> Self {
        let (at, state) = open_variant(writer, at, variant);
        Object { writer, at, state, len: Some(len), written: 0, in_variant: true }
    }

    #[cold]
    fn fail(&mut self, error: Error) -> Result<(), Error> {
        self.at = self.writer.settle(error)?;
        Ok(())
    }

    /// Whether an entry may begin, and the byte it begins with.
    #[inline(always)]
    fn begin(&mut self) -> Result<u8, Error> {
        if self.state == State::Closed || self.writer.full(self.at) {
            let more = remaining(self.len, self.written);
            self.at = cut_object(self.writer, self.at, self.state, more, self.in_variant);
            self.state = State::Closed;
            return Err(self.writer.complete(self.at));
        }
        let open = if self.state == State::First { b'{' } else { b',' };
        self.state = State::Rest;
        self.written += 1;
        Ok(open)
    }

    #[inline(always)]
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        if self.state == State::Verbatim {
            self.written += 1;
            let is_text = self.written == 1 && (name == RAW_VALUE || name == NUMBER);
            self.at = verbatim(self.writer, self.at, is_text, value)?;
            return Ok(());
        }
        let open = self.begin()?;
        self.at = self.writer.name(self.at, open, name);
        self.at = if self.writer.limits.redact && is_secret(name) {
            self.writer.redacted(self.at)
        } else {
            inner(self.writer, self.at, value)?
        };
        Ok(())
    }

    #[inline(always)]
    fn close(self) -> Done {
        let Self { writer, at, .. } = self;
        let mut at = match self.state {
            State::Verbatim if self.written == 0 => return Err(misused()),
            State::Closed | State::Verbatim => {
                writer.complete_at = None;
                return Ok(at);
            }
            State::First => writer.sink.put_array(at, *b"{}"),
            State::Rest => writer.sink.put_array(at, [b'}']),
            State::Keyed | State::Secret => return Err(misused()),
        };
        if self.in_variant {
            at = writer.sink.put_array(at, [b'}']);
        }
        writer.depth += levels(self.in_variant);
        Ok(at)
    }
}

/// Writes a value inside an array or object.
#[inline(always)]
fn inner<S: Sink, T: Serialize + ?Sized>(writer: &mut Writer<S>, at: usize, value: &T) -> Done {
    match (At { writer: &mut *writer, at }).value(value) {
        Ok(at) => Ok(at),
        Err(error) => writer.settle(error),
    }
}

/// Enters an array or object; if that is too deep, closes at once.
#[inline(always)]
fn open<S: Sink>(writer: &mut Writer<S>, at: usize) -> (usize, State) {
    match writer.descend(at) {
        Ok(()) => (at, State::First),
        Err(at) => (at, State::Closed),
    }
}

/// Writes `{"Variant":` and enters what it holds; if that is not written, closes at once.
fn open_variant<S: Sink>(writer: &mut Writer<S>, at: usize, variant: &'static str) -> (usize, State) {
    if let Err(at) = writer.descend(at) {
        return (at, State::Closed);
    }
    let at = writer.name(at, b'{', variant);
    let at = if writer.is_secret_variant(variant) {
        writer.redacted(at)
    } else {
        match writer.descend(at) {
            Ok(()) => return (at, State::First),
            Err(at) => at,
        }
    };
    writer.depth += 1;
    (writer.sink.put_array(at, [b'}']), State::Closed)
}

#[inline]
pub(super) fn newtype_variant<S: Sink, T>(
    At { writer, at }: At<'_, S>,
    variant: &'static str,
    value: &T,
) -> Done
where
    T: Serialize + ?Sized,
{
    if let Err(at) = writer.descend(at) {
        return Ok(at);
    }
    let at = writer.name(at, b'{', variant);
    let at = if writer.is_secret_variant(variant) {
        writer.redacted(at)
    } else if writer.full(at) {
        writer.cut(Cut::Size);
        writer.sink.put(at, b"\"$cut\"")
    } else {
        inner(writer, at, value)?
    };
    writer.depth += 1;
    Ok(writer.sink.put_array(at, [b'}']))
}

// What follows takes the parts of an array or object, not a reference to it, so that it can stay in registers. The
// depth is not given back: whatever comes after a cut for size is cut too.

/// Says how many elements are left out and closes the array, unless it is closed.
#[cold]
#[inline(never)]
fn cut_array<S: Sink>(
    writer: &mut Writer<S>,
    mut at: usize,
    state: State,
    more: Option<u64>,
    in_variant: bool,
) -> usize {
    if state != State::Closed {
        let sink = &mut writer.sink;
        at = sink.put(at, if state == State::First { b"[\"$cut" } else { b",\"$cut" });
        if let Some(more) = more {
            at = sink.put(at, b": ");
            at = text::put_u64(sink, at, more);
            at = sink.put(at, b" more");
        }
        at = sink.put(at, if in_variant { b"\"]}" } else { b"\"]" });
        writer.cut(Cut::Size);
    }
    at
}

/// Says how many fields are left out and closes the object, unless it is closed.
#[cold]
#[inline(never)]
fn cut_object<S: Sink>(
    writer: &mut Writer<S>,
    mut at: usize,
    state: State,
    more: Option<u64>,
    in_variant: bool,
) -> usize {
    if state != State::Closed {
        let sink = &mut writer.sink;
        at = sink.put(at, if state == State::First { b"{\"$cut\":" } else { b",\"$cut\":" });
        at = match more {
            Some(more) => text::put_u64(sink, at, more),
            None => sink.put(at, b"true"),
        };
        at = sink.put(at, if in_variant { b"}}" } else { b"}" });
        writer.cut(Cut::Size);
    }
    at
}

/// Passes on the JSON text of a struct's only field.
#[inline(never)]
fn verbatim<S: Sink, T: Serialize + ?Sized>(
    writer: &mut Writer<S>,
    at: usize,
    is_text: bool,
    value: &T,
) -> Done {
    if !is_text {
        return Err(misused());
    }
    value.serialize(Key { writer, at, verbatim: true }).map(|(at, _)| at)
}

/// How many levels an array or object is: within a variant there is an object around it.
#[inline(always)]
fn levels(in_variant: bool) -> u32 {
    1 + u32::from(in_variant)
}

/// How many of `len` are left out, if that can be said: a value may announce fewer than it has.
fn remaining(len: Option<usize>, written: usize) -> Option<u64> {
    len.and_then(|len| len.checked_sub(written)).filter(|more| *more > 0).map(|more| more as u64)
}

#[cold]
fn misused() -> Error {
    ser::Error::custom(
        "its Serialize wrote a key without a value, a value without a key, or raw JSON without its text",
    )
}

impl<S: Sink> ser::SerializeSeq for Array<'_, S> {
    type Ok = usize;
    type Error = Error;
    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(value)
    }
    #[inline]
    fn end(self) -> Done {
        self.close()
    }
}

impl<S: Sink> ser::SerializeTuple for Array<'_, S> {
    type Ok = usize;
    type Error = Error;
    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(value)
    }
    #[inline]
    fn end(self) -> Done {
        self.close()
    }
}

impl<S: Sink> ser::SerializeTupleStruct for Array<'_, S> {
    type Ok = usize;
    type Error = Error;
    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(value)
    }
    #[inline]
    fn end(self) -> Done {
        self.close()
    }
}

impl<S: Sink> ser::SerializeTupleVariant for Array<'_, S> {
    type Ok = usize;
    type Error = Error;
    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.element(value)
    }
    #[inline]
    fn end(self) -> Done {
        self.close()
    }
}

impl<S: Sink> ser::SerializeStruct for Object<'_, S> {
    type Ok = usize;
    type Error = Error;
    #[inline(always)]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        self.field(name, value)
    }
    #[inline(always)]
    fn end(self) -> Done {
        self.close()
    }
}

impl<S: Sink> ser::SerializeStructVariant for Object<'_, S> {
    type Ok = usize;
    type Error = Error;
    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        self.field(name, value)
    }
    #[inline]
    fn end(self) -> Done {
        self.close()
    }
}

impl<S: Sink> ser::SerializeMap for Object<'_, S> {
    type Ok = usize;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        if matches!(self.state, State::Keyed | State::Secret | State::Verbatim) {
            return self.fail(misused());
        }
        let open = self.begin()?;
        let at = self.writer.sink.put_array(self.at, [open]);
        match key.serialize(Key { writer: self.writer, at, verbatim: false }) {
            Ok((at, secret)) => {
                self.state = if secret { State::Secret } else { State::Keyed };
                self.at = self.writer.sink.put_array(at, [b':']);
                Ok(())
            }
            Err(error) => self.fail(error),
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        match self.state {
            State::Closed => return Err(self.writer.complete(self.at)),
            State::Keyed => self.at = inner(self.writer, self.at, value)?,
            State::Secret => self.at = self.writer.redacted(self.at),
            _ => return self.fail(misused()),
        }
        self.state = State::Rest;
        Ok(())
    }

    #[inline]
    fn end(self) -> Done {
        self.close()
    }
}
