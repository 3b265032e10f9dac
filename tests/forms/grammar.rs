//! The attribute's arguments.

use std::cell::Cell;

use observe::{Level, SpanType, observe};
use serde::Serialize;
use serde_json::json;

use crate::seen::{run, seen, spans};

#[derive(Serialize, Debug)]
struct Card {
    number: &'static str,
    holder: Holder,
}

#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
struct Holder {
    full_name: &'static str,
    age: u8,
}

fn card() -> Card {
    Card { number: "4111", holder: Holder { full_name: "Ada", age: 36 } }
}

#[observe(redact(pin, card.number, card.holder.full_name, cards.number))]
fn pay(pin: u16, card: &Card, cards: [Card; 2], plain: u8) -> u8 {
    let _ = (pin, card, cards);
    plain
}

#[derive(Debug)]
struct OnlyDebug {
    #[expect(dead_code, reason = "shown by Debug")]
    number: u8,
}

#[observe(redact(shown.number, pair.0, r#in.number))]
fn parts(shown: OnlyDebug, pair: (u8, u8), r#in: Option<Card>) -> u8 {
    let _ = (shown, r#in);
    pair.0
}

#[test]
fn what_is_redacted_is_not_recorded() {
    assert_eq!(
        seen("pay", || pay(1234, &card(), [card(), card()], 5)),
        r#"pay {"pin":"[redacted]","card":{"number":"[redacted]","holder":{"fullName":"[redacted]","age":36}},"cards":[{"number":"[redacted]","holder":{"fullName":"Ada","age":36}},{"number":"[redacted]","holder":{"fullName":"Ada","age":36}}],"plain":5} -> 5"#
    );
    assert_eq!(
        seen("parts", || parts(OnlyDebug { number: 1 }, (1, 2), None)),
        r#"parts {"shown":"[redacted]","pair":["[redacted]",2],"in":null} -> 1"#
    );
}

#[observe(input = json!({"words": text.split(' ').count()}), output = |words| words.len())]
fn split(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

#[observe(input = text, output = |ok: &String| &ok[..1])]
async fn first_letter(text: String) -> Result<String, String> {
    if text.is_empty() { Err("empty".to_owned()) } else { Ok(text) }
}

#[observe(input = (), output = |unit| format!("{unit:?}"))]
fn of_nothing() {}

#[observe(skip_all, output = |left| left + offset)]
fn uses_an_argument(n: u8, offset: u8) -> u8 {
    n - offset
}

#[test]
fn input_and_output_can_be_made_by_expressions() {
    assert_eq!(seen("split", || split("a b")), r#"split {"words":2} -> 2"#);
    assert_eq!(
        seen("first", || (
            run(first_letter("abc".into())).is_ok(),
            run(first_letter(String::new())).is_err()
        )),
        "first_letter \"abc\" -> \"a\"\nfirst_letter \"\" !Error empty"
    );
    assert_eq!(seen("nothing", of_nothing), r#"of_nothing - -> "()""#);
    assert_eq!(seen("argument", || uses_an_argument(5, 2)), "uses_an_argument - -> 5");
}

#[observe(err = false)]
fn looks_up(n: u8) -> Result<u8, String> {
    n.checked_sub(1).ok_or_else(|| "none".to_owned())
}

#[observe(err = false, output = |result| result.is_err())]
fn looks_again(n: u8) -> Result<u8, String> {
    looks_up(n)
}

#[observe(err = false, capture_output = false)]
fn looks_away(n: u8) -> Result<u8, String> {
    Err(n.to_string())
}

#[observe(capture_output = false, capture_input = false)]
fn looks_nowhere(n: u8) -> Result<u8, String> {
    if n == 0 { Ok(n) } else { Err("some".to_owned()) }
}

#[test]
fn an_err_is_an_output_where_it_is_no_failure() {
    assert_eq!(
        seen("err", || (looks_again(0), looks_up(1), looks_away(1), looks_nowhere(0), looks_nowhere(1))),
        "looks_again {\"n\":0} -> true\nlooks_up {\"n\":0} -> {\"Err\":\"none\"}\nlooks_up {\"n\":1} -> {\"Ok\":0}\n\
         looks_away {\"n\":1} -> -\nlooks_nowhere - -> -\nlooks_nowhere - !Error some"
    );
}

thread_local! {
    static EVALUATED: Cell<u32> = const { Cell::new(0) };
}

/// Counts how often it is evaluated.
fn counted<T>(value: T) -> T {
    EVALUATED.with(|count| count.set(count.get() + 1));
    value
}

#[observe(
    name = counted(format!("call {n}")),
    as_type = "generation",
    level = "warning",
    model = counted(&*model),
    version = counted(n),
    session = counted(&list[0]),
    user = counted(model.len()),
    tags = [counted(&model), counted("two".to_owned())],
    metadata = { n: counted(n), "list of": counted(&list), r#type: counted(Some("x")) },
    trace_id = counted(observe::current_trace_id()),
    parent = counted(observe::current_span_id()),
    input = counted((n, &list)),
    output = |out| counted(*out),
)]
fn everything(n: u8, model: String, list: Vec<String>) -> u8 {
    drop((model, list));
    n
}

#[test]
fn every_expression_can_use_the_arguments_and_is_evaluated_once() {
    let spans = spans("everything", || everything(3, "gpt".into(), vec!["s".into()]));
    assert_eq!(EVALUATED.get(), 14);
    let span = &spans[0];
    assert_eq!(crate::seen::line(span), r#"call 3 [3,["s"]] -> 3"#);
    assert_eq!((span.span_type, span.level), (SpanType::Generation, Level::Warning));
    assert_eq!((span.model.as_deref(), span.version.as_deref()), (Some("gpt"), Some("3")));
    let attributes = &span.attributes;
    assert_eq!((attributes.session.as_deref(), attributes.user.as_deref()), (Some("s"), Some("3")));
    assert_eq!(attributes.tags, ["gpt", "two"]);
    assert_eq!(json!(span.metadata), json!({"n": 3, "list of": ["s"], "type": "x"}));
}
