//! Signatures of free functions.
#![allow(clippy::too_many_arguments, clippy::toplevel_ref_arg, clippy::extra_unused_type_parameters)]

use std::{
    borrow::Cow,
    collections::HashMap,
    fmt::{Debug, Display},
    num::ParseIntError,
    panic::catch_unwind,
};

use observe::observe;

use crate::seen::seen;

#[observe]
fn nothing() {}

#[observe]
fn unit(n: u8) -> () {
    let _ = n;
}

#[observe]
fn many(
    a: u8,
    b: i16,
    c: u32,
    d: i64,
    e: u128,
    f: f32,
    g: bool,
    h: char,
    i: &str,
    j: String,
    k: (u8, u8),
    l: [u8; 2],
    m: Option<u8>,
    n: Vec<u8>,
) -> usize {
    let _ = (a, b, c, d, e, f, g, h, i, j, k, l, m, n);
    14
}

#[test]
fn no_arguments_and_many() {
    assert_eq!(seen("nothing", nothing), "nothing - -> -");
    assert_eq!(seen("unit", || unit(1)), "unit {\"n\":1} -> -");
    assert_eq!(
        seen("many", || many(
            1,
            -2,
            3,
            -4,
            5,
            0.5,
            true,
            'h',
            "i",
            "j".into(),
            (1, 2),
            [3, 4],
            None,
            vec![5]
        )),
        "many {\"a\":1,\"b\":-2,\"c\":3,\"d\":-4,\"e\":5,\"f\":0.5,\"g\":true,\"h\":\"h\",\"i\":\"i\",\"j\":\"j\",\
         \"k\":[1,2],\"l\":[3,4],\"m\":null,\"n\":[5]} -> 14"
    );
}

#[observe]
fn elided(text: &str) -> &str {
    text.trim()
}

#[observe]
fn longest<'a>(a: &'a str, b: &'a str) -> &'a str {
    if a.len() > b.len() { a } else { b }
}

#[observe]
fn late<'a, 'b: 'a>(map: &'a mut HashMap<String, u8>, key: &'b str) -> Option<&'a mut u8> {
    if map.contains_key(key) {
        return map.get_mut(key);
    }
    map.insert(key.to_owned(), 0);
    map.get_mut(key)
}

#[observe]
fn cow(text: &str) -> Cow<'_, str> {
    text.into()
}

#[observe]
fn forever(n: u8) -> &'static str {
    if n > 0 { "some" } else { "none" }
}

#[test]
fn lifetimes_named_elided_and_static() {
    assert_eq!(seen("elided", || elided(" x ").len()), r#"elided {"text":" x "} -> "x""#);
    assert_eq!(seen("longest", || longest("a", "bc").len()), r#"longest {"a":"a","b":"bc"} -> "bc""#);
    let mut map = HashMap::from([("k".to_owned(), 1)]);
    let text = seen("late", || {
        *late(&mut map, "k").unwrap() += 1;
        *late(&mut map, "l").unwrap() += 7;
    });
    assert_eq!(
        text,
        "late {\"map\":{\"k\":1},\"key\":\"k\"} -> 1\nlate {\"map\":{\"k\":2},\"key\":\"l\"} -> 0"
    );
    assert_eq!(map["l"], 7);
    assert_eq!(seen("cow", || cow("c").len()), r#"cow {"text":"c"} -> "c""#);
    assert_eq!(seen("forever", || forever(0)), r#"forever {"n":0} -> "none""#);
}

#[observe]
fn unbound<T>(value: T) -> T {
    value
}

#[observe]
fn debugged<T>(value: T, other: &[T]) -> String
where
    T: Debug,
{
    format!("{value:?}{other:?}")
}

#[observe]
fn serialized<T: serde::Serialize + ?Sized>(value: &T) -> usize {
    size_of_val(value)
}

#[observe]
fn unsized_text<T: ?Sized + AsRef<str>>(value: &T) -> usize {
    value.as_ref().len()
}

#[observe]
fn array<const N: usize, T: Copy + Into<u64>>(items: [T; N]) -> u64 {
    items.into_iter().map(Into::into).sum()
}

#[observe]
fn higher<F>(call: F) -> usize
where
    for<'x> F: Fn(&'x str) -> &'x str,
{
    call("abc").len()
}

#[test]
fn generics_are_captured_by_what_their_bounds_say() {
    assert_eq!(seen("unbound", || unbound(3)), r#"unbound {"value":"<i32>"} -> "<i32>""#);
    assert_eq!(seen("debugged", || debugged(3, &[4])), r#"debugged {"value":"3","other":"[4]"} -> "3[4]""#);
    assert_eq!(seen("serialized", || serialized("abc")), r#"serialized {"value":"abc"} -> 3"#);
    assert_eq!(seen("unsized", || unsized_text("abc")), r#"unsized_text {"value":"<str>"} -> 3"#);
    assert_eq!(seen("array", || array([1u8, 2])), r#"array {"items":"<[u8; 2]>"} -> 3"#);
    let text = seen("higher", || higher(|s| &s[1..]));
    assert!(text.starts_with(r#"higher {"call":"<forms::signatures::"#) && text.ends_with("-> 2"), "{text}");
}

#[observe]
fn impl_in(text: impl Into<String> + Debug, show: impl Display) -> String {
    text.into() + &show.to_string()
}

#[observe]
fn impl_out() -> impl Fn(&str) -> usize {
    // The closure's signature is known by the return type alone.
    |s| s.len()
}

#[observe]
fn impl_within(text: &str) -> Result<impl Display + use<>, ParseIntError> {
    let number: u8 = text.parse()?;
    Ok(number)
}

#[observe]
fn boxed(shown: &dyn Debug, n: u8) -> Box<dyn Fn(u8) -> u8> {
    let _ = shown;
    if n == 0 {
        return Box::new(|n| n);
    }
    Box::new(move |m| n + m)
}

#[observe]
fn failing(text: &str) -> Result<u8, Box<dyn std::error::Error>> {
    if text.is_empty() {
        Err("empty")?;
    }
    Ok(text.parse()?)
}

#[test]
fn impl_trait_and_dyn_go_in_and_out() {
    assert_eq!(seen("impl_in", || impl_in("a", 1)), r#"impl_in {"text":"\"a\"","show":"<i32>"} -> "a1""#);
    assert_eq!(seen("impl_out", || assert_eq!(impl_out()("four"), 4)), "impl_out - -> -");
    assert_eq!(
        seen("impl_within", || impl_within("5").ok().unwrap().to_string()),
        r#"impl_within {"text":"5"} -> 5"#
    );
    assert_eq!(
        seen("impl_within fails", || impl_within("x").is_err()),
        r#"impl_within {"text":"x"} !Error invalid digit found in string"#
    );
    let text = seen("boxed", || assert_eq!((boxed(&1, 0)(5), boxed(&"x", 2)(5)), (5, 7)));
    assert_eq!(text.lines().next().unwrap().split(" -> ").next().unwrap(), r#"boxed {"shown":"1","n":0}"#);
    assert_eq!(
        seen("failing", || (failing("").is_err(), failing("7").is_ok(), failing("x").is_err())),
        "failing {\"text\":\"\"} !Error empty\nfailing {\"text\":\"7\"} -> 7\n\
         failing {\"text\":\"x\"} !Error invalid digit found in string"
    );
}

#[observe]
fn never(n: u8) -> ! {
    panic!("never {n}")
}

#[observe]
unsafe fn dangerous(n: *const u8, m: u8) -> u8 {
    let _ = n;
    harmless(m)
}

#[observe]
extern "C" fn exported(n: u32) -> u32 {
    n + 1
}

#[observe]
pub(crate) unsafe extern "C" fn both(n: u32) -> u32 {
    exported(n)
}

fn harmless(n: u8) -> u8 {
    n
}

#[test]
fn never_unsafe_and_extern() {
    let text = seen("never", || catch_unwind(|| never(3)).is_err());
    assert!(text.starts_with(r#"never {"n":3} !Error panicked at tests/forms/signatures.rs:"#), "{text}");
    assert!(text.ends_with("never 3"));
    // SAFETY: it reads nothing.
    #[allow(unsafe_code)]
    let text = seen("dangerous", || unsafe { (dangerous(std::ptr::null(), 2), both(1)) });
    assert!(text.starts_with(r#"dangerous {"n":"0x0","m":2} -> 2"#), "{text}");
    assert!(text.ends_with("both {\"n\":1} -> 2\nexported {\"n\":1} -> 2"), "{text}");
}

struct Point {
    x: u8,
    y: u8,
}

#[derive(Clone, Copy, serde::Serialize)]
struct Pair(u8, u8);

#[observe]
fn patterns(
    (a, mut b): (u8, u8),
    Point { x, y: up }: Point,
    [first, .., last]: [u8; 3],
    &n: &u8,
    ref text: String,
    _: u8,
    whole @ Pair(left, _): Pair,
    mut list: Vec<u8>,
    r#type: u8,
    _unused: u8,
) -> u8 {
    b += a;
    list.push(b);
    x + up + first + last + n + text.len() as u8 + left + whole.1 + r#type + list.iter().sum::<u8>()
}

#[observe]
fn switched(#[cfg(not(test))] gone: u8, #[cfg(test)] here: u8, #[allow(unused_variables)] unused: u8) -> u8 {
    here
}

#[observe]
fn r#match(r#in: u8) -> u8 {
    r#in
}

#[test]
fn parameters_of_every_pattern_are_captured_as_they_were() {
    assert_eq!(
        seen("patterns", || patterns(
            (1, 2),
            Point { x: 1, y: 1 },
            [1, 9, 2],
            &3,
            "abc".into(),
            0,
            Pair(1, 2),
            vec![4],
            5,
            6
        )),
        r#"patterns {"a":1,"b":2,"x":1,"up":1,"first":1,"last":2,"n":3,"text":"abc","whole":[1,2],"left":1,"list":[4],"type":5,"_unused":6} -> 26"#
    );
    assert_eq!(seen("switched", || switched(1, 2)), r#"switched {"here":1,"unused":2} -> 1"#);
    assert_eq!(seen("match", || r#match(1)), r#"match {"in":1} -> 1"#);
}

macro_rules! made {
    ($(#[$attr:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty $body:block) => {
        $(#[$attr])* $vis fn $name($($arg: $ty),*) -> $ret $body
    };
    ($name:ident, $value:expr, $kind:literal) => {
        #[observe(as_type = $kind, name = $value, skip(secret))]
        fn $name(shown: u8, secret: u8) -> u8 {
            let local = shown;
            local + secret
        }
    };
    (item $item:item) => {
        #[observe]
        $item
    };
}

made! { #[observe] pub(crate) fn by_parts(x: u8, y: Vec<u8>) -> usize { y.len() + x as usize } }
made!(by_template, "templated", "tool");
made! { item fn by_item(x: u8) -> u8 { x } }

#[observe]
fn outer(n: u8) -> u8 {
    #[observe]
    fn inner(n: u8) -> u8 {
        n * 2
    }
    inner(n) + 1
}

#[observe]
fn factorial(n: u64) -> u64 {
    if n < 2 { 1 } else { n * factorial(n - 1) }
}

#[test]
fn functions_made_by_macros_inside_functions_and_recursive() {
    assert_eq!(seen("parts", || by_parts(1, vec![2])), r#"by_parts {"x":1,"y":[2]} -> 2"#);
    assert_eq!(seen("template", || by_template(1, 2)), r#"templated {"shown":1} -> 3"#);
    assert_eq!(seen("item", || by_item(1)), r#"by_item {"x":1} -> 1"#);
    assert_eq!(seen("outer", || outer(1)), "outer {\"n\":1} -> 3\ninner {\"n\":1} -> 2");
    assert_eq!(
        seen("factorial", || factorial(3)),
        "factorial {\"n\":3} -> 6\nfactorial {\"n\":2} -> 2\nfactorial {\"n\":1} -> 1"
    );
}

#[observe]
fn inner_attributes(n: u8) -> u8 {
    #![allow(unused_variables)]
    //! Documentation from the inside.
    let unused = n;
    n
}

#[observe]
fn flow(n: u8) -> Option<u8> {
    let found = 'search: {
        if n == 1 {
            break 'search 10;
        }
        for i in 0..n {
            if i == 5 {
                return None;
            }
        }
        u8::checked_sub(3, n)?
    };
    Some(found)
}

#[test]
fn labelled_breaks_returns_and_question_marks_do_what_they_did() {
    assert_eq!(inner_attributes(1), 1);
    assert_eq!(
        seen("flow", || [flow(1), flow(2), flow(9), flow(4)]),
        "flow {\"n\":1} -> 10\nflow {\"n\":2} -> 1\nflow {\"n\":9} -> null\nflow {\"n\":4} -> null"
    );
    let pointer: fn(u8) -> Option<u8> = flow;
    assert_eq!(seen("pointer", || pointer(1)), "flow {\"n\":1} -> 10");
}
