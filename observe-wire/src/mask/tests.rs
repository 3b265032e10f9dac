use observe_model::{
    Metric, Record, Resource, Score, Span, SpanId, Target, Timestamp, TraceAttributes, TraceId,
};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn key() -> String {
    format!("sk-{}", "a1B2c3D4e5F6g7H8i9J0")
}

fn span() -> Span<'static> {
    Span::begin(TraceId::from_seed("t"), SpanId::from_seed("s"), "work", Timestamp(1))
}

#[test]
fn secrets_are_taken_out_of_everything_that_a_span_says() {
    let key = key();
    let mut span = span();
    span.name = format!("call with {key}").into();
    span.input = Some(
        json!({"headers": [format!("Bearer {key}")], "card": 4_111_111_111_111_111_u64}).to_string().into(),
    );
    span.output = Some(json!(format!("line\n\"{key}\" é")).to_string().into());
    span.status_message = Some(format!("401 for {key}").into());
    span.metadata.to_mut().insert("note".into(), json!([key]));
    span.attributes.to_mut().metadata.insert("at".into(), json!({"deep": key}));
    span.attributes.to_mut().session = Some("conv_123".into());

    Mask::default().span(&mut span);
    let said = format!("{span:?}");
    assert!(!said.contains(&key) && !said.contains("4111111111111111"), "{said}");
    assert_eq!(span.name, "call with [redacted]");
    assert_eq!(span.input.as_deref(), Some(r#"{"card":"[redacted]","headers":["Bearer [redacted]"]}"#));
    assert_eq!(span.output.as_deref(), Some(r#""line\n\"[redacted]\" é""#));
    assert_eq!(span.attributes.session.as_deref(), Some("conv_123"));
}

#[test]
fn what_holds_no_secret_is_not_touched() {
    let mut span = span();
    span.input = Some(Cow::Borrowed(r#"{"n":340282366920938463463374607431768211455,"s":"a-b","f":1.0e5}"#));
    span.output = Some(Cow::Borrowed("not json - at all"));
    let before = span.clone();
    Mask::default().span(&mut span);
    assert_eq!(span, before);
    assert!(matches!(span.input, Some(Cow::Borrowed(_))));
}

#[test]
fn the_hook_sees_what_is_left_and_has_the_last_word() {
    let mask = Mask::new(
        true,
        Some(Arc::new(|value: &mut Value| {
            if let Some(email) = value.get_mut("email") {
                *email = "[email]".into();
            }
        })),
    );
    let mut span = span();
    span.input = Some(json!({"email": "a@b.c", "key": key()}).to_string().into());
    mask.span(&mut span);
    assert_eq!(span.input.as_deref(), Some(r#"{"email":"[email]","key":"[redacted]"}"#));
}

#[test]
fn without_patterns_and_hook_everything_stays() {
    let mut span = span();
    span.input = Some(json!(key()).to_string().into());
    let before = span.clone();
    Mask::new(false, None).span(&mut span);
    assert_eq!(span, before);
}

#[test]
fn ids_lose_keys_and_tokens_but_no_long_numbers() {
    let mut attributes = TraceAttributes {
        session: Some("4111111111111111".to_owned()),
        user: Some(key()),
        tags: vec![format!("of {}", key()), "4111111111111111".to_owned()],
        ..TraceAttributes::default()
    };
    Mask::default().attributes(&mut attributes);
    assert_eq!(attributes.session.as_deref(), Some("4111111111111111"));
    assert_eq!(attributes.user.as_deref(), Some(REDACTED));
    assert_eq!(attributes.tags, ["of [redacted]", REDACTED]);
}

#[test]
fn what_is_said_of_a_process_loses_keys_and_tokens_but_no_long_numbers() {
    let said = |text: &str| Resource {
        project: format!("of {text}"),
        service: text.to_owned(),
        release: Some(format!("v1+{text}")),
        environment: Some(text.to_lowercase()),
    };
    let mut resource = said(&key());
    Mask::default().resource(&mut resource);
    let expected = Resource { environment: Some("redacted".to_owned()), ..said(REDACTED) };
    assert_eq!(resource, expected);

    let mut resource = said("4111111111111111");
    Mask::default().resource(&mut resource);
    assert_eq!(resource, said("4111111111111111"));
    let mut attributes = TraceAttributes { environment: Some(key()), ..TraceAttributes::default() };
    Mask::default().attributes(&mut attributes);
    assert_eq!(attributes.environment.as_deref(), Some("redacted"));
}

proptest! {
    #[test]
    fn json_stays_json_and_says_the_same_but_for_secrets(texts in prop::collection::vec("\\PC{0,20}|[0-9]{13,16}", 0..4), numbers in prop::collection::vec(any::<u64>(), 0..4)) {
        let json = json!({"texts": texts, "numbers": numbers, "key": key()}).to_string();
        let masked: Value = serde_json::from_str(&json::redacted(&json).unwrap()).unwrap();
        prop_assert_eq!(&masked["key"], REDACTED);
        for (at, text) in texts.iter().enumerate() {
            prop_assert_eq!(masked["texts"][at].as_str().unwrap(), redacted(text, true).unwrap_or_else(|| text.clone()));
        }
    }

    #[test]
    fn any_text_can_be_taken_for_json(text in "(\\PC|\"|\\\\|sk-[a-z0-9]{20}|[0-9]{15}){0,20}") {
        json::redacted(&text);
    }
}

#[test]
fn a_score_is_about_the_session_as_its_spans_call_it() {
    let key = key();
    let target = Target { session: Some(format!("chat of {key}")), ..Target::default() };
    let mut attributes = TraceAttributes { session: target.session.clone(), ..TraceAttributes::default() };
    let score = Score { id: key.clone(), target: target.clone(), ..Score::default() };
    let metric = Metric { id: key.clone(), target, ..Metric::default() };
    Mask::default().attributes(&mut attributes);
    assert_eq!(attributes.session.as_deref(), Some("chat of [redacted]"));
    for mut record in [Record::Score(score), Record::Metric(metric)] {
        Mask::default().record(&mut record);
        let (Record::Score(Score { id, target, .. }) | Record::Metric(Metric { id, target, .. })) = &record;
        assert_eq!(target.session, attributes.session);
        // Others keep theirs.
        assert_eq!(*id, TraceId::from_seed(&key).to_string());
    }
}
