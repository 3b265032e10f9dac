//! Divides the body of an export request in two, for a receiver that refuses the whole because of a part.

use std::ops::Range;

use serde_json::Value;

use super::protobuf::{Field, Malformed, Reader, put_bytes, put_message};

/// A body, and how many spans are in it.
pub type Part = (Vec<u8>, u64);

/// Field numbers of `resource_spans`, and of `scope_spans` and `spans` in what is within it.
const RESOURCE_SPANS: u64 = 1;
const INNER: u64 = 2;

/// The two halves of a body in protobuf, each with the resource and scope of its spans; `None` if it holds fewer than two
/// spans or is not protobuf.
///
/// ```
/// # use observe_model::{Resource, Span, SpanId, Timestamp, TraceId};
/// # let mut encoder = observe_wire::Encoder::new(&Resource::default());
/// # let span = |name| Span::begin(TraceId::from_seed("a"), SpanId::from_seed(name), name, Timestamp::now());
/// encoder.push(&span("one"));
/// encoder.push(&span("two"));
/// encoder.push(&span("three"));
/// let [(first, one), (second, two)] = observe_wire::split::protobuf(&encoder.take()).unwrap();
/// assert_eq!((one, two), (1, 2));
/// assert!(observe_wire::split::protobuf(&first).is_none());
/// ```
pub fn protobuf(body: &[u8]) -> Option<[Part; 2]> {
    let mut all = 0;
    keep(body, &(0..u64::MAX), &mut all).ok()?;
    halves(all, |range| {
        let mut seen = 0;
        keep(body, range, &mut seen).ok()
    })
}

/// The same of a body in OTLP's JSON.
pub fn json(body: &[u8]) -> Option<[Part; 2]> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let (mut whole, mut all) = (body.clone(), 0);
    keep_json(&mut whole, &(0..u64::MAX), &mut all);
    halves(all, |range| {
        let (mut part, mut seen) = (body.clone(), 0);
        keep_json(&mut part, range, &mut seen);
        Some(part.to_string().into_bytes())
    })
}

fn halves(all: u64, keep: impl Fn(&Range<u64>) -> Option<Vec<u8>>) -> Option<[Part; 2]> {
    let half = all / 2;
    if half == 0 {
        return None;
    }
    Some([(keep(&(0..half))?, half), (keep(&(half..all))?, all - half)])
}

/// The body with those spans of it whose numbers are in `range`; counts all in `seen`.
fn keep(body: &[u8], range: &Range<u64>, seen: &mut u64) -> Result<Vec<u8>, Malformed> {
    let mut out = Vec::with_capacity(body.len() / 2);
    let mut fields = Reader::new(body);
    while let Some(field) = fields.next()? {
        if let (RESOURCE_SPANS, Field::Bytes(resource_spans)) = field {
            within(&mut out, RESOURCE_SPANS, resource_spans, |out, scope_spans| {
                within(out, INNER, scope_spans, |out, span| {
                    if range.contains(seen) {
                        put_bytes(out, INNER as u8, span);
                    }
                    *seen += 1;
                    Ok(())
                })
            })?;
        }
    }
    Ok(out)
}

/// Copies `message` as field `number`, with `inner` called for each of what it holds in field [`INNER`].
fn within<'m>(
    out: &mut Vec<u8>,
    number: u64,
    message: &'m [u8],
    mut inner: impl FnMut(&mut Vec<u8>, &'m [u8]) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut result = Ok(());
    put_message(out, number as u8, |out| {
        let mut fields = Reader::new(message);
        result = (|| {
            while let Some(field) = fields.next()? {
                match field {
                    (INNER, Field::Bytes(bytes)) => inner(out, bytes)?,
                    // Resource, scope and schema: small numbers, all of them.
                    (number @ 1..16, Field::Bytes(bytes)) => put_bytes(out, number as u8, bytes),
                    _ => {}
                }
            }
            Ok(())
        })();
    });
    result
}

fn keep_json(body: &mut Value, range: &Range<u64>, seen: &mut u64) {
    for resource_spans in items(body, "resourceSpans") {
        for scope_spans in items(resource_spans, "scopeSpans") {
            if let Some(Value::Array(spans)) = scope_spans.get_mut("spans") {
                spans.retain(|_| {
                    *seen += 1;
                    range.contains(&(*seen - 1))
                });
            }
        }
    }
}

fn items<'v>(value: &'v mut Value, key: &str) -> impl Iterator<Item = &'v mut Value> {
    value.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use observe_model::{Resource, Span, SpanId, Timestamp, TraceId};
    use serde_json::json;

    use super::*;
    use crate::{Encoder, decode};

    fn body(spans: u64) -> Vec<u8> {
        let mut encoder =
            Encoder::new(&Resource { project: "p".into(), service: "s".into(), ..Resource::default() });
        for n in 0..spans {
            let id = SpanId::from_seed(n.to_string());
            encoder.push(&Span::begin(TraceId::from_seed("t"), id, format!("{n}"), Timestamp(n + 1)));
        }
        encoder.take()
    }

    fn names(body: &[u8]) -> Vec<String> {
        let decoded = decode(body, &Default::default()).unwrap();
        assert!(decoded.resources.iter().all(|r| r.resource.project == "p"));
        decoded.resources.into_iter().flat_map(|r| r.spans).map(|span| span.name.into_owned()).collect()
    }

    #[test]
    fn halves_hold_every_span_once_with_its_resource() {
        for count in 2..9 {
            let [(first, one), (second, two)] = protobuf(&body(count)).unwrap();
            assert_eq!((names(&first).len() as u64, names(&second).len() as u64), (one, two));
            let all: Vec<_> = (0..count).map(|n| n.to_string()).collect();
            assert_eq!([names(&first), names(&second)].concat(), all);
        }
    }

    #[test]
    fn one_span_none_and_no_protobuf_have_no_halves() {
        assert!(protobuf(&body(1)).is_none() && protobuf(&body(0)).is_none());
        assert!(protobuf(b"\xff").is_none() && json(b"{}").is_none() && json(b"no json").is_none());
    }

    #[test]
    fn json_is_divided_alike() {
        let spans = |names: &[&str]| names.iter().map(|name| json!({"name": name})).collect::<Vec<_>>();
        let of = |one: &[&str], two: &[&str]| {
            json!({"resourceSpans": [
                {"resource": {"a": 1}, "scopeSpans": [{"spans": spans(one)}, {"scope": 2, "spans": spans(two)}]},
            ]})
        };
        let [(first, one), (second, two)] = json(of(&["a", "b"], &["c"]).to_string().as_bytes()).unwrap();
        let parsed = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
        assert_eq!((parsed(&first), one), (of(&["a"], &[]), 1));
        assert_eq!((parsed(&second), two), (of(&["b"], &["c"]), 2));
    }
}
