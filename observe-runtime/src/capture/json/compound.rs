//! Arrays and objects: each element or field asks first whether there is room for it.

use serde::ser::{self, Serialize};

use super::{
    super::{
        is_secret,
        text::{self, Sink},
    },
    Cut, Done, Error, Writer,
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

pub(crate) struct Array<'a, 's, S> {
    writer: &'a mut Writer<'s, S>,
    state: State,
    len: Option<usize>,
    written: usize,
    in_variant: bool,
}

impl<'a, 's, S: Sink> Array<'a, 's, S> {
    #[inline(always)]
    pub(super) fn open(writer: &'a mut Writer<'s, S>, len: Option<usize>) -> Self {
        let state = if writer.descend() { State::First } else { State::Closed };
        Array { writer, state, len, written: 0, in_variant: false }
    }

    pub(super) fn open_variant(writer: &'a mut Writer<'s, S>, variant: &'static str, len: usize) -> Self {
        let state = open_variant(writer, variant);
        Array { writer, state, len: Some(len), written: 0, in_variant: true }
    }

    #[inline(always)]
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        if self.state == State::Closed || self.writer.full() {
            let error =
                cut_array(self.writer, self.state, remaining(self.len, self.written), self.in_variant);
            self.state = State::Closed;
            return Err(error);
        }
        self.writer.sink.put_array([if self.state == State::First { b'[' } else { b',' }]);
        self.state = State::Rest;
        self.written += 1;
        match self.writer.value(value) {
            Ok(()) => Ok(()),
            Err(error) => self.writer.settle(error),
        }
    }

    #[inline(always)]
    fn close(self) -> Done {
        match self.state {
            State::Closed => {
                self.writer.complete_at = None;
                return Ok(());
            }
            State::First => self.writer.sink.put_array(*b"[]"),
            _ => self.writer.sink.put_array([b']']),
        }
        if self.in_variant {
            self.writer.sink.put_array([b'}']);
        }
        self.writer.depth += levels(self.in_variant);
        Ok(())
    }
}

pub(crate) struct Object<'a, 's, S> {
    writer: &'a mut Writer<'s, S>,
    state: State,
    len: Option<usize>,
    written: usize,
    in_variant: bool,
}

impl<'a, 's, S: Sink> Object<'a, 's, S> {
    #[inline(always)]
    pub(super) fn open(writer: &'a mut Writer<'s, S>, len: Option<usize>) -> Self {
        let state = if writer.descend() { State::First } else { State::Closed };
        Object { writer, state, len, written: 0, in_variant: false }
    }

    #[inline(always)]
    pub(super) fn open_struct(writer: &'a mut Writer<'s, S>, name: &'static str, len: usize) -> Self {
        if name == RAW_VALUE || name == NUMBER {
            return Object { writer, state: State::Verbatim, len: None, written: 0, in_variant: false };
        }
        Self::open(writer, Some(len))
    }

    pub(super) fn open_variant(writer: &'a mut Writer<'s, S>, variant: &'static str, len: usize) -> Self {
        let state = open_variant(writer, variant);
        Object { writer, state, len: Some(len), written: 0, in_variant: true }
    }

    /// Whether an entry may begin, and the byte it begins with.
    #[inline(always)]
    fn begin(&mut self) -> Result<u8, Error> {
        if self.state == State::Closed || self.writer.full() {
            let error =
                cut_object(self.writer, self.state, remaining(self.len, self.written), self.in_variant);
            self.state = State::Closed;
            return Err(error);
        }
        let open = if self.state == State::First { b'{' } else { b',' };
        self.state = State::Rest;
        self.written += 1;
        Ok(open)
    }

    #[inline(always)]
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Done {
        if self.state == State::Verbatim {
            self.written += 1;
            return verbatim(self.writer, self.written == 1 && (name == RAW_VALUE || name == NUMBER), value);
        }
        let open = self.begin()?;
        self.writer.name(open, name);
        if self.writer.redact && is_secret(name) {
            self.writer.redacted();
            return Ok(());
        }
        self.value(value)
    }

    #[inline(always)]
    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        match self.writer.value(value) {
            Ok(()) => Ok(()),
            Err(error) => self.writer.settle(error),
        }
    }

    #[inline(always)]
    fn close(self) -> Done {
        match self.state {
            State::Verbatim if self.written == 0 => return Err(misused()),
            State::Closed | State::Verbatim => {
                self.writer.complete_at = None;
                return Ok(());
            }
            State::First => self.writer.sink.put_array(*b"{}"),
            State::Rest => self.writer.sink.put_array([b'}']),
            State::Keyed | State::Secret => return Err(misused()),
        }
        if self.in_variant {
            self.writer.sink.put_array([b'}']);
        }
        self.writer.depth += levels(self.in_variant);
        Ok(())
    }
}

/// Writes `{"Variant":` and enters what it holds; if that is not written, closes at once.
fn open_variant<S: Sink>(writer: &mut Writer<'_, S>, variant: &'static str) -> State {
    if !writer.descend() {
        return State::Closed;
    }
    writer.name(b'{', variant);
    if writer.is_secret_variant(variant) {
        writer.redacted();
    } else if writer.descend() {
        return State::First;
    }
    writer.sink.put_array([b'}']);
    writer.depth += 1;
    State::Closed
}

#[inline]
pub(super) fn newtype_variant<S: Sink, T>(
    writer: &mut Writer<'_, S>,
    variant: &'static str,
    value: &T,
) -> Done
where
    T: Serialize + ?Sized,
{
    if !writer.descend() {
        return Ok(());
    }
    writer.name(b'{', variant);
    if writer.is_secret_variant(variant) {
        writer.redacted();
    } else if writer.full() {
        writer.outcome.cut.get_or_insert(Cut::Size);
        writer.sink.put(b"\"$cut\"");
    } else if let Err(error) = writer.value(value) {
        writer.settle(error)?;
    }
    writer.sink.put_array([b'}']);
    writer.depth += 1;
    Ok(())
}

// What follows takes the parts of an array or object, not a reference to it, so that it can stay in registers. The
// depth is not given back: whatever comes after a cut for size is cut too.

/// Says how many elements are left out and closes the array, unless it is closed.
#[cold]
#[inline(never)]
fn cut_array<S: Sink>(
    writer: &mut Writer<'_, S>,
    state: State,
    more: Option<u64>,
    in_variant: bool,
) -> Error {
    if state != State::Closed {
        let sink = &mut *writer.sink;
        sink.put(if state == State::First { b"[\"$cut" } else { b",\"$cut" });
        if let Some(more) = more {
            sink.put(b": ");
            text::put_u64(sink, more);
            sink.put(b" more");
        }
        sink.put(if in_variant { b"\"]}" } else { b"\"]" });
        writer.outcome.cut.get_or_insert(Cut::Size);
    }
    writer.complete()
}

/// Says how many fields are left out and closes the object, unless it is closed.
#[cold]
#[inline(never)]
fn cut_object<S: Sink>(
    writer: &mut Writer<'_, S>,
    state: State,
    more: Option<u64>,
    in_variant: bool,
) -> Error {
    if state != State::Closed {
        let sink = &mut *writer.sink;
        sink.put(if state == State::First { b"{\"$cut\":" } else { b",\"$cut\":" });
        match more {
            Some(more) => text::put_u64(sink, more),
            None => sink.put(b"true"),
        }
        sink.put(if in_variant { b"}}" } else { b"}" });
        writer.outcome.cut.get_or_insert(Cut::Size);
    }
    writer.complete()
}

/// Passes on the JSON text of a struct's only field.
#[inline(never)]
fn verbatim<S: Sink, T: Serialize + ?Sized>(writer: &mut Writer<'_, S>, is_text: bool, value: &T) -> Done {
    if !is_text {
        return Err(misused());
    }
    value.serialize(Key { writer, verbatim: true }).map(|_| ())
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

impl<S: Sink> ser::SerializeSeq for Array<'_, '_, S> {
    type Ok = ();
    type Error = Error;
    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.element(value)
    }
    #[inline]
    fn end(self) -> Done {
        self.close()
    }
}

impl<S: Sink> ser::SerializeTuple for Array<'_, '_, S> {
    type Ok = ();
    type Error = Error;
    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.element(value)
    }
    #[inline]
    fn end(self) -> Done {
        self.close()
    }
}

impl<S: Sink> ser::SerializeTupleStruct for Array<'_, '_, S> {
    type Ok = ();
    type Error = Error;
    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.element(value)
    }
    #[inline]
    fn end(self) -> Done {
        self.close()
    }
}

impl<S: Sink> ser::SerializeTupleVariant for Array<'_, '_, S> {
    type Ok = ();
    type Error = Error;
    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.element(value)
    }
    #[inline]
    fn end(self) -> Done {
        self.close()
    }
}

impl<S: Sink> ser::SerializeStruct for Object<'_, '_, S> {
    type Ok = ();
    type Error = Error;
    #[inline(always)]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Done {
        self.field(name, value)
    }
    #[inline(always)]
    fn end(self) -> Done {
        self.close()
    }
}

impl<S: Sink> ser::SerializeStructVariant for Object<'_, '_, S> {
    type Ok = ();
    type Error = Error;
    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Done {
        self.field(name, value)
    }
    #[inline]
    fn end(self) -> Done {
        self.close()
    }
}

impl<S: Sink> ser::SerializeMap for Object<'_, '_, S> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        if matches!(self.state, State::Keyed | State::Secret | State::Verbatim) {
            return self.writer.settle(misused());
        }
        let open = self.begin()?;
        self.writer.sink.put_array([open]);
        match key.serialize(Key { writer: self.writer, verbatim: false }) {
            Ok(secret) => {
                self.state = if secret { State::Secret } else { State::Keyed };
                self.writer.sink.put_array([b':']);
                Ok(())
            }
            Err(error) => self.writer.settle(error),
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        match self.state {
            State::Closed => Err(self.writer.complete()),
            State::Keyed => {
                self.state = State::Rest;
                self.value(value)
            }
            State::Secret => {
                self.state = State::Rest;
                self.writer.redacted();
                Ok(())
            }
            _ => self.writer.settle(misused()),
        }
    }

    #[inline]
    fn end(self) -> Done {
        self.close()
    }
}
