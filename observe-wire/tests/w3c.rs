//! W3C Trace Context and Baggage. The cases are those of the specifications' own test suites
//! (<https://github.com/w3c/trace-context/tree/main/test>, <https://github.com/w3c/baggage/tree/main/test>) as tables,
//! with what the texts say beyond them.

use observe_wire::w3c::{Baggage, TraceParent, TraceState};
use proptest::prelude::*;

const TRACE: &str = "12345678901234567890123456789012";

/// What the suite expects to continue the trace.
const CONTINUED: &[&str] = &[
    // test_traceparent_included_tracestate_missing
    "00-12345678901234567890123456789012-1234567890123456-01",
    // test_traceparent_version_0xcc
    "cc-12345678901234567890123456789012-1234567890123456-01",
    "cc-12345678901234567890123456789012-1234567890123456-01-what-the-future-will-be-like",
    // test_traceparent_ows_handling
    " 00-12345678901234567890123456789012-1234567890123456-01",
    "\t00-12345678901234567890123456789012-1234567890123456-01",
    "00-12345678901234567890123456789012-1234567890123456-01 ",
    "00-12345678901234567890123456789012-1234567890123456-01\t",
    "\t 00-12345678901234567890123456789012-1234567890123456-01 \t",
    // Flags that are not known yet.
    "00-12345678901234567890123456789012-1234567890123456-ff",
    "00-12345678901234567890123456789012-1234567890123456-03",
];

/// What the suite expects to begin a new trace.
const REFUSED: &[&str] = &[
    // test_traceparent_version_0x00
    "00-12345678901234567890123456789012-1234567890123456-01.",
    "00-12345678901234567890123456789012-1234567890123456-01-what-the-future-will-be-like",
    "00-12345678901234567890123456789012-1234567890123456-01-",
    // test_traceparent_version_0xcc
    "cc-12345678901234567890123456789012-1234567890123456-01.what-the-future-will-be-like",
    // test_traceparent_version_0xff
    "ff-12345678901234567890123456789012-1234567890123456-01",
    // test_traceparent_version_illegal_characters
    ".0-12345678901234567890123456789012-1234567890123456-01",
    "0.-12345678901234567890123456789012-1234567890123456-01",
    // test_traceparent_version_too_long, .._too_short
    "000-12345678901234567890123456789012-1234567890123456-01",
    "0000-12345678901234567890123456789012-1234567890123456-01",
    "0-12345678901234567890123456789012-1234567890123456-01",
    // test_traceparent_trace_id_all_zero, .._illegal_characters, .._too_long, .._too_short
    "00-00000000000000000000000000000000-1234567890123456-01",
    "00-.2345678901234567890123456789012-1234567890123456-01",
    "00-1234567890123456789012345678901.-1234567890123456-01",
    "00-123456789012345678901234567890123-1234567890123456-01",
    "00-1234567890123456789012345678901-1234567890123456-01",
    // test_traceparent_parent_id_all_zero, .._illegal_characters, .._too_long, .._too_short
    "00-12345678901234567890123456789012-0000000000000000-01",
    "00-12345678901234567890123456789012-.234567890123456-01",
    "00-12345678901234567890123456789012-123456789012345.-01",
    "00-12345678901234567890123456789012-12345678901234567-01",
    "00-12345678901234567890123456789012-123456789012345-01",
    // test_traceparent_trace_flags_illegal_characters, .._too_long, .._too_short
    "00-12345678901234567890123456789012-1234567890123456-.0",
    "00-12345678901234567890123456789012-1234567890123456-0.",
    "00-12345678901234567890123456789012-1234567890123456-001",
    "00-12345678901234567890123456789012-1234567890123456-1",
    // Upper case is not allowed anywhere.
    "00-ABCDEF78901234567890123456789012-1234567890123456-01",
    "00-12345678901234567890123456789012-ABCDEF7890123456-01",
    "00-12345678901234567890123456789012-1234567890123456-0A",
    "CC-12345678901234567890123456789012-1234567890123456-01",
    "",
    "00",
    "00-12345678901234567890123456789012",
    "00-12345678901234567890123456789012-1234567890123456",
    "00-12345678901234567890123456789012-1234567890123456-",
    "00-12345678901234567890123456789012-1234567890123456-01,00-12345678901234567890123456789012-1234567890123456-01",
    "00_12345678901234567890123456789012_1234567890123456_01",
    "00-12345678901234567890123456789012-1234567890123456-\u{e9}1",
];

#[test]
fn a_traceparent_is_read_as_the_suite_of_the_specification_expects() {
    for text in CONTINUED {
        let parent: TraceParent = text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!(parent.trace_id.to_string(), TRACE, "{text:?}");
        assert_eq!(parent.parent_id.to_string(), "1234567890123456", "{text:?}");
        assert!(parent.sampled, "{text:?}");
        assert_eq!(parent.to_string(), CONTINUED[0], "it goes out in our version, with the flags we know");
    }
    for text in REFUSED {
        assert!(text.parse::<TraceParent>().is_err(), "{text:?}");
    }
}

#[test]
fn only_the_lowest_flag_says_that_a_trace_is_sampled() {
    for (flags, sampled) in [("00", false), ("01", true), ("02", false), ("03", true), ("fe", false)] {
        let parent: TraceParent = format!("00-{TRACE}-1234567890123456-{flags}").parse().unwrap();
        assert_eq!(parent.sampled, sampled, "{flags}");
    }
}

/// Every character that a key may have.
const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789_-*/";

fn kept(headers: &[&str]) -> Option<String> {
    TraceState::parse(headers.iter().copied()).map(|state| state.to_string())
}

#[test]
fn a_tracestate_is_passed_on_in_order_as_the_suite_of_the_specification_expects() {
    let value: String = (' '..='~').filter(|c| !",=".contains(*c)).collect();
    let plain = format!("{KEY}={value}");
    let tenant = format!("{KEY}@a-z0-9_-*/={value}");
    let longest = format!("{}=1", "z".repeat(256));
    let longest_tenant = format!("{}@{}=1", "t".repeat(241), "v".repeat(14));
    let cases: &[(&[&str], &str)] = &[
        // test_tracestate_included_traceparent_included
        (&["foo=1,bar=2"], "foo=1,bar=2"),
        // test_tracestate_empty_header
        (&["foo=1", ""], "foo=1"),
        (&["", "foo=1"], "foo=1"),
        // test_tracestate_multiple_headers_different_keys
        (&["foo=1,bar=2", "rojo=1,congo=2", "baz=3"], "foo=1,bar=2,rojo=1,congo=2,baz=3"),
        // test_tracestate_all_allowed_characters
        (&[&plain], &plain),
        (&[&tenant], &tenant),
        // test_tracestate_ows_handling
        (&["foo=1 \t , \t bar=2, \t baz=3"], "foo=1,bar=2,baz=3"),
        (&["foo=1\t \t,\t \tbar=2,\t \tbaz=3"], "foo=1,bar=2,baz=3"),
        (&[" foo=1"], "foo=1"),
        (&["\tfoo=1"], "foo=1"),
        (&["foo=1 "], "foo=1"),
        (&["foo=1\t"], "foo=1"),
        (&["\t foo=1 \t"], "foo=1"),
        // test_tracestate_key_length_limit
        (&["foo=1", &longest], &format!("foo=1,{longest}")),
        (&["foo=1", &longest_tenant], &format!("foo=1,{longest_tenant}")),
        // Members that are empty are allowed.
        (&["foo=1,,bar=2,"], "foo=1,bar=2"),
    ];
    for (headers, expected) in cases {
        assert_eq!(kept(headers).as_deref(), Some(*expected), "{headers:?}");
    }
}

#[test]
fn an_invalid_tracestate_is_left_out_whole() {
    let too_long = format!("{}=1", "z".repeat(257));
    let tenant_too_long = format!("{}@v=1", "t".repeat(242));
    let system_too_long = format!("t@{}=1", "v".repeat(15));
    let value_too_long = format!("foo={}", "v".repeat(257));
    let cases: &[&[&str]] = &[
        &[],
        &[""],
        &[" , "],
        // test_tracestate_duplicated_keys
        &["foo=1,foo=1"],
        &["foo=1,foo=2"],
        &["foo=1", "foo=1"],
        &["foo=1", "foo=2"],
        // test_tracestate_key_illegal_characters
        &["foo =1"],
        &["FOO=1"],
        &["foo.bar=1"],
        // test_tracestate_key_illegal_vendor_format
        &["foo@=1,bar=2"],
        &["@foo=1,bar=2"],
        &["foo@@bar=1,bar=2"],
        &["foo@bar@baz=1,bar=2"],
        // test_tracestate_key_length_limit
        &["foo=1", &too_long],
        &["foo=1", &tenant_too_long],
        &["foo=1", &system_too_long],
        // test_tracestate_value_illegal_characters
        &["foo=bar=baz"],
        &["foo=,bar=3"],
        &["foo=1,bar"],
        &["foo=\u{e9}"],
        &["foo=a\tb"],
        &[&value_too_long],
    ];
    for headers in cases {
        assert_eq!(kept(headers), None, "{headers:?}");
    }
}

#[test]
fn a_tracestate_has_32_members_and_512_characters_at_the_most() {
    // test_tracestate_member_count_limit
    let members = |n: usize| (1..=n).map(|n| format!("bar{n:02}={n:02}")).collect::<Vec<_>>().join(",");
    assert_eq!(kept(&[&members(32)]).as_deref(), Some(&*members(32)));
    assert_eq!(kept(&[&members(33)]), None);
    // Members of more than 128 characters go first, then the last ones.
    let member = |key: &str, len: usize| format!("{key}={}", "v".repeat(len - 2));
    let (a, b, c, d) = (member("a", 129), member("b", 120), member("c", 120), member("d", 120));
    let e = member("e", 120);
    assert_eq!(kept(&[&a, &b, &c, &d, &e]), Some(format!("{b},{c},{d},{e}")));
    assert_eq!(kept(&[&b, &c, &d, &e, &member("f", 100)]), Some(format!("{b},{c},{d},{e}")));
    assert_eq!(
        kept(&[&member("a", 128), &member("b", 128), &member("c", 128), &member("d", 125)]).map(|s| s.len()),
        Some(512)
    );
}

fn members(text: &str) -> Vec<(String, String)> {
    Baggage::parse([text]).iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

#[test]
fn baggage_is_read_and_passed_on_as_the_suite_of_the_specification_expects() {
    let odd = "\t \"';=asdf!@#$%^&*()";
    let odd_encoded = "%09%20%22%27%3B%3Dasdf%21%40%23%24%25%5E%26%2A%28%29";
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);
    let cases: &[Case<'_>] = &[
        ("SomeKey=SomeValue", &[("SomeKey", "SomeValue")], "SomeKey=SomeValue"),
        (
            "SomeKey=SomeValue;SomeProp,SomeKey2=SomeValue2;ValueProp=PropVal",
            &[("SomeKey", "SomeValue"), ("SomeKey2", "SomeValue2")],
            "SomeKey=SomeValue;SomeProp,SomeKey2=SomeValue2;ValueProp=PropVal",
        ),
        (
            "SomeKey \t = \t SomeValue \t ; \t SomeProp \t , \t SomeKey2 \t = \t SomeValue2 \t ; \t ValueProp \t = \t PropVal",
            &[("SomeKey", "SomeValue"), ("SomeKey2", "SomeValue2")],
            "SomeKey=SomeValue;SomeProp,SomeKey2=SomeValue2;ValueProp=PropVal",
        ),
        ("SomeKey=SomeValue=equals", &[("SomeKey", "SomeValue=equals")], "SomeKey=SomeValue=equals"),
        (
            "SomeKey=SomeValue;SomeProp;SecondProp=PropValue",
            &[("SomeKey", "SomeValue")],
            "SomeKey=SomeValue;SomeProp;SecondProp=PropValue",
        ),
        (&format!("SomeKey={odd_encoded}"), &[("SomeKey", odd)], &format!("SomeKey={odd_encoded}")),
        // An empty value is one, and a key may come twice.
        ("a=,b=1,b=2", &[("a", ""), ("b", "1"), ("b", "2")], "a=,b=1,b=2"),
        // What is no UTF-8 is replaced for the reader and passed on as it came.
        ("a=%ff%e2%82%ac", &[("a", "\u{fffd}\u{20ac}")], "a=%ff%e2%82%ac"),
        ("a=100%", &[("a", "100%")], "a=100%"),
        ("a=1+1", &[("a", "1+1")], "a=1+1"),
        // An invalid member spoils itself alone.
        ("a=1,b,c=3", &[("a", "1"), ("c", "3")], "a=1,c=3"),
        ("a b=1,\u{e9}=2,c=\u{e9},d=\"x\",e=1 2,=5,f=6", &[("f", "6")], "f=6"),
        ("a=1;=x,b=2", &[("b", "2")], "b=2"),
        ("", &[], ""),
    ];
    for (text, expected, passed_on) in cases {
        let found = members(text);
        let found: Vec<_> = found.iter().map(|(k, v)| (&**k, &**v)).collect();
        assert_eq!(found, *expected, "{text:?}");
        assert_eq!(Baggage::parse([*text]).to_string(), *passed_on, "{text:?}");
    }
    let mut baggage = Baggage::default();
    assert!(baggage.set("SomeKey", odd));
    assert_eq!(baggage.to_string(), format!("SomeKey={odd_encoded}"));
    assert!(!baggage.set("no token", "x"));
}

#[test]
fn baggage_of_several_headers_is_one_list_and_the_last_value_counts() {
    let mut baggage = Baggage::parse(["a=1", "b=2,a=3"]);
    assert_eq!(baggage.get("a"), Some("3"));
    assert!(baggage.set("a", "4"));
    assert_eq!(baggage.to_string(), "b=2,a=4");
}

#[test]
fn baggage_of_64_members_or_8192_bytes_passes_and_no_more() {
    // test_serialize_at_least_64
    let many: Vec<String> = (0..65).map(|n| format!("key{n}=value")).collect();
    assert_eq!(Baggage::parse([&*many[..64].join(",")]).iter().count(), 64);
    assert_eq!(Baggage::parse([&*many.join(",")]).to_string(), many[..64].join(","));
    // test_serialize_long_entry
    let mut baggage = Baggage::default();
    assert!(!baggage.set("a", &"0123456789".repeat(820)));
    assert!(baggage.set("a", &"0123456789".repeat(819)));
    assert_eq!(baggage.to_string().len(), 8192);
    assert!(!baggage.set("b", ""));
    assert!(baggage.set("a", "1") && baggage.set("b", ""), "what was replaced makes room");
}

proptest! {
    #[test]
    fn whatever_baggage_is_set_to_comes_back(values in prop::collection::vec(".{0,40}", 0..20)) {
        let mut baggage = Baggage::default();
        for (n, value) in values.iter().enumerate() {
            let is_set = baggage.set(&format!("key{n}"), value);
            prop_assert!(is_set);
        }
        let text = baggage.to_string();
        let is_header = text.bytes().all(|b| b.is_ascii_graphic());
        prop_assert!(is_header, "{}", text);
        let back = members(&text);
        prop_assert_eq!(back.into_iter().map(|(_, value)| value).collect::<Vec<_>>(), values);
    }

    #[test]
    fn no_header_makes_the_readers_panic_and_what_they_keep_reads_the_same(text in "\\PC*", more in "[a-z@=,;% \t-]*") {
        let _ = text.parse::<TraceParent>();
        for header in [&*text, &*more] {
            let baggage = Baggage::parse([header]);
            prop_assert_eq!(&Baggage::parse([&*baggage.to_string()]), &baggage);
            if let Some(state) = TraceState::parse([header]) {
                prop_assert_eq!(TraceState::parse([&*state.to_string()]), Some(state.clone()));
            }
        }
    }
}
