//! What is captured of a value: by what its type can do.

use std::{
    borrow::Cow,
    cell::RefCell,
    collections::BTreeMap,
    fmt::{self, Debug},
    rc::Rc,
    sync::Arc,
};

use observe::observe;
use serde::Serialize;

use crate::seen::seen;

#[derive(Serialize, Debug, Clone)]
struct Both {
    a: u8,
}

#[derive(Debug, Clone)]
struct Shown(#[expect(dead_code, reason = "shown by Debug")] u8);

struct Opaque;

trait Anything {}
impl Anything for u8 {}

macro_rules! takes {
    ($($name:ident($ty:ty)),* $(,)?) => {
        $(
            #[observe(capture_output = false)]
            fn $name(x: $ty) {
                let _ = x;
            }
        )*
    };
}

takes! {
    reference(&Both), double(&&Both), mutable(&mut Both), boxed(Box<Both>), counted(Rc<Shown>), shared(Arc<Shown>),
    optional(Option<&Both>), optional_shown(Option<Shown>), optional_opaque(Option<Opaque>),
    slice(&[Both]), slice_shown(&[Shown]), list(Vec<Shown>), tuple((u8, Both)), tuple_shown((u8, Shown)),
    mixed((Both, Opaque)), map(BTreeMap<String, Both>), cow(Cow<'_, str>), text(&str), bytes(&[u8]),
    cell(&RefCell<Both>), result(Result<u8, Both>), debug(&dyn Debug), dynamic(&dyn Anything), boxed_dyn(Box<dyn Anything>),
    pointer(*const u8), function(fn(u8) -> u8), unit(()), phantom(std::marker::PhantomData<Opaque>), range(std::ops::Range<u8>),
    duration(std::time::Duration), path(&std::path::Path), float(f64), never(Option<std::convert::Infallible>),
}

/// What `x` was recorded as.
fn recorded(call: impl FnOnce()) -> String {
    let text = seen("captured", call);
    let line = text.lines().last().unwrap_or_default();
    let (_, input) = line.split_once(r#"{"x":"#).unwrap_or_else(|| panic!("{line}"));
    input.strip_suffix("} -> -").unwrap_or_else(|| panic!("{line}")).to_owned()
}

#[test]
fn a_value_is_captured_by_the_best_that_its_type_can_do() {
    let both = || Both { a: 1 };
    let json = r#"{"a":1}"#;
    assert_eq!(recorded(|| reference(&both())), json);
    assert_eq!(recorded(|| double(&&both())), json);
    assert_eq!(recorded(|| mutable(&mut both())), json);
    assert_eq!(recorded(|| boxed(Box::new(both()))), json);
    assert_eq!(recorded(|| counted(Rc::new(Shown(1)))), r#""Shown(1)""#);
    assert_eq!(recorded(|| shared(Arc::new(Shown(1)))), r#""Shown(1)""#);
    assert_eq!(recorded(|| optional(Some(&both()))), json);
    assert_eq!(recorded(|| optional_shown(None)), r#""None""#);
    assert_eq!(recorded(|| optional_opaque(None)), r#""<core::option::Option<forms::captured::Opaque>>""#);
    assert_eq!(recorded(|| slice(&[both()])), r#"[{"a":1}]"#);
    assert_eq!(recorded(|| slice_shown(&[Shown(1)])), r#""[Shown(1)]""#);
    assert_eq!(recorded(|| list(vec![Shown(1)])), r#""[Shown(1)]""#);
    assert_eq!(recorded(|| tuple((2, both()))), r#"[2,{"a":1}]"#);
    assert_eq!(recorded(|| tuple_shown((2, Shown(1)))), r#""(2, Shown(1))""#);
    assert_eq!(
        recorded(|| mixed((both(), Opaque))),
        r#""<(forms::captured::Both, forms::captured::Opaque)>""#
    );
    assert_eq!(recorded(|| map(BTreeMap::from([("k".to_owned(), both())]))), r#"{"k":{"a":1}}"#);
    assert_eq!(recorded(|| cow("c".into())), r#""c""#);
    assert_eq!(recorded(|| text("t")), r#""t""#);
    assert_eq!(recorded(|| bytes(&[1, 2])), "[1,2]");
    assert_eq!(recorded(|| cell(&RefCell::new(both()))), json);
    assert_eq!(recorded(|| result(Ok(1))), r#"{"Ok":1}"#);
    assert_eq!(recorded(|| debug(&Shown(1))), r#""Shown(1)""#);
    assert_eq!(recorded(|| dynamic(&1)), r#""<&dyn forms::captured::Anything>""#);
    assert_eq!(
        recorded(|| boxed_dyn(Box::new(1))),
        r#""<alloc::boxed::Box<dyn forms::captured::Anything>>""#
    );
    assert_eq!(recorded(|| pointer(std::ptr::null())), r#""0x0""#);
    assert!(recorded(|| function(|n| n)).starts_with(r#""0x"#));
    assert_eq!(recorded(|| unit(())), "null");
    assert_eq!(recorded(|| phantom(std::marker::PhantomData)), "null");
    assert_eq!(recorded(|| range(1..2)), r#"{"start":1,"end":2}"#);
    assert_eq!(recorded(|| duration(std::time::Duration::from_secs(1))), r#"{"secs":1,"nanos":0}"#);
    assert_eq!(recorded(|| path("p".as_ref())), r#""p""#);
    assert_eq!(recorded(|| float(f64::NAN)), "null");
    assert_eq!(recorded(|| never(None)), r#""None""#);
}

#[observe]
fn changes(mut text: String, list: &mut Vec<u8>, moved: Vec<u8>) -> (String, Vec<u8>) {
    text.push('!');
    list.clear();
    (text, moved)
}

#[test]
fn arguments_are_captured_as_they_were_at_entry() {
    assert_eq!(
        seen("changes", || changes("a".into(), &mut vec![1], vec![2])),
        r#"changes {"text":"a","list":[1],"moved":[2]} -> ["a!",[2]]"#
    );
}

/// Has methods of the names that the attribute uses.
#[derive(Serialize, Debug)]
struct Namesake;

impl Namesake {
    #[allow(dead_code)]
    fn observe_argument(&self) {
        panic!("called");
    }
    #[allow(dead_code)]
    fn observe_parts(&self) {
        panic!("called");
    }
    #[allow(dead_code)]
    fn observe_output(&self) {
        panic!("called");
    }
    #[allow(dead_code)]
    fn observe_finish(&self) {
        panic!("called");
    }
    #[allow(dead_code)]
    fn deref(&self) {
        panic!("called");
    }
    #[allow(dead_code)]
    fn serialize(&self) {
        panic!("called");
    }
    #[allow(dead_code)]
    fn fmt(&self) {
        panic!("called");
    }
}

/// Has methods of the names that the attribute calls on its own types, for every type.
#[allow(dead_code)]
trait Meddler: Sized {
    fn new(self) -> ! {
        panic!("called")
    }
    fn start(self) -> ! {
        panic!("called")
    }
    fn start_at(&self) -> ! {
        panic!("called")
    }
    fn enter(&self) -> ! {
        panic!("called")
    }
    fn run(self) -> ! {
        panic!("called")
    }
    fn name(&self) -> ! {
        panic!("called")
    }
    fn model(self) -> ! {
        panic!("called")
    }
    fn metadata(&self) -> ! {
        panic!("called")
    }
    fn is_live(self) -> ! {
        panic!("called")
    }
    fn is_recording(self) -> ! {
        panic!("called")
    }
    fn returned(&self) -> ! {
        panic!("called")
    }
    fn failed(&self) -> ! {
        panic!("called")
    }
    fn argument(&self) -> ! {
        panic!("called")
    }
    fn output(&self) -> ! {
        panic!("called")
    }
    fn parts(&self) -> ! {
        panic!("called")
    }
    fn fail(&self) -> ! {
        panic!("called")
    }
    fn text(&self) -> ! {
        panic!("called")
    }
    fn maybe(self) -> ! {
        panic!("called")
    }
    fn session(&self) -> ! {
        panic!("called")
    }
    fn tag(&self) -> ! {
        panic!("called")
    }
}

impl<T> Meddler for T {}

#[observe(name = "named".to_owned(), model = 1, metadata = { k: 1 }, session = "s", tags = ["t"])]
fn meddled(x: Namesake) -> Result<Namesake, Shown> {
    Ok(x)
}

#[observe]
async fn meddled_later(x: Shown) -> Result<Namesake, Shown> {
    Err(x)
}

#[test]
fn methods_of_the_names_that_the_attribute_uses_are_not_called() {
    assert_eq!(seen("meddled", || meddled(Namesake).is_ok()), r#"named {"x":null} -> null"#);
    assert_eq!(
        seen("meddled later", || crate::seen::run(meddled_later(Shown(1))).is_ok()),
        r#"meddled_later {"x":"Shown(1)"} !Error Shown(1)"#
    );
}

/// Shown only where it lives for ever.
struct Tied<'a>(&'a str);

impl Debug for Tied<'static> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[observe]
fn tied_for_ever(tied: Tied<'static>) -> usize {
    tied.0.len()
}

#[observe]
fn tied(tied: Tied<'_>, by_reference: &Tied<'_>, optional: Option<Tied<'_>>) -> usize {
    let _ = (by_reference, optional);
    tied.0.len()
}

#[derive(Serialize)]
struct View<'a, T> {
    text: &'a str,
    item: &'a T,
}

#[observe]
fn view<'a, T: Serialize + Debug>(
    view: &View<'a, T>,
    item: View<'_, T>,
    pair: (Cow<'a, str>, &T),
) -> &'a str {
    let _ = (item.item, pair);
    view.text
}

#[test]
fn an_impl_for_static_serves_only_what_is_static() {
    let text = "abc".to_owned();
    assert_eq!(
        seen("tied", || tied(Tied(&text), &Tied(&text), None)),
        r#"tied {"tied":"<forms::captured::Tied<'_>>","by_reference":"<&forms::captured::Tied<'_>>","optional":"<core::option::Option<forms::captured::Tied<'_>>>"} -> 3"#
    );
    let of = |text| View { text, item: &1u8 };
    assert_eq!(
        seen("view", || view(&of(&text), of(&text), ("c".into(), &2)).len()),
        r#"view {"view":{"text":"abc","item":1},"item":{"text":"abc","item":1},"pair":["c",2]} -> "abc""#
    );
    assert_eq!(seen("tied for ever", || tied_for_ever(Tied("abc"))), r#"tied_for_ever {"tied":"abc"} -> 3"#);
}
