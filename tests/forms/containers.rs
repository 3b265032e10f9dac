//! `#[observe]` on `impl` blocks, traits and modules.

use observe::observe;

use crate::seen::{run, seen, spans};

struct Tools {
    calls: u8,
}

#[observe(as_type = "tool", skip(secret), metadata = { part: "tools" })]
impl Tools {
    const LIMIT: usize = {
        const fn limit() -> usize {
            2
        }
        limit()
    };

    /// Not eligible: it runs at compile time.
    const fn new() -> Self {
        Self { calls: 0 }
    }

    fn search(&mut self, query: &str, secret: u8) -> Option<u8> {
        self.calls += secret;
        u8::try_from(query.len()).ok()
    }

    #[observe(as_type = "retriever", name = format!("read {page}"))]
    pub(crate) async fn read(&self, page: u8, secret: u8) -> Result<u8, String> {
        if page == 0 {
            Err("no page")?;
        }
        Ok(page + secret)
    }

    #[observe(skip_all)]
    fn quiet(&self, loud: u8) -> u8 {
        self.helper(loud)
    }

    #[observe(skip)]
    fn helper(&self, n: u8) -> u8 {
        n + self.calls
    }

    fn generic<const N: usize>(&self, items: [u8; N]) -> [u8; Self::LIMIT + 1] {
        [items.len() as u8; Self::LIMIT + 1]
    }

    #[observe(skip(items), metadata = { part: "own" }, as_type = "span")]
    fn own(&self, items: u8, secret: u8) {
        let _ = (items, secret);
    }
}

#[test]
fn every_method_of_an_impl_block_is_observed_with_the_defaults_of_the_block() {
    let spans = spans("impl", || {
        let mut tools = Tools::new();
        tools.search("abc", 1);
        let _ = (run(tools.read(1, 1)), run(tools.read(0, 1)));
        tools.quiet(2);
        tools.generic([1, 2, 3]);
        tools.own(1, 2);
    });
    let lines: Vec<_> = spans
        .iter()
        .map(|span| format!("{} {} {}", crate::seen::line(span), span.span_type, span.metadata["part"]))
        .collect();
    let expected = [
        r#"search {"query":"abc"} -> 3 tool "tools""#,
        r#"read 1 {"page":1} -> 2 retriever "tools""#,
        r#"read 0 {"page":0} !Error no page retriever "tools""#,
        r#"quiet - -> 3 tool "tools""#,
        r#"generic {"items":"[1, 2, 3]"} -> [3,3,3] tool "tools""#,
        r#"own {"secret":"[redacted]"} -> - span "own""#,
    ];
    assert_eq!(lines, expected);
    assert_eq!(spans[0].code.as_ref().unwrap().function, "forms::containers::Tools::search");
    assert_eq!(spans[1].code.as_ref().unwrap().file, "tests/forms/containers.rs");
}

struct Wrapper<'a, T>(&'a T);

#[observe]
impl<T> std::fmt::Display for Wrapper<'_, T>
where
    for<'x> &'x T: std::fmt::Debug,
{
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", &self.0)
    }
}

#[observe(as_type = "agent")]
trait Answers: Send + Sync {
    type Topic;
    const FALLBACK: u8 = 1;

    fn topic(&self) -> Self::Topic;

    fn answer(&self, question: &str) -> usize {
        question.len() * usize::from(Self::FALLBACK)
    }

    async fn later(&self, question: &str) -> usize
    where
        Self: Sized,
    {
        self.answer(question)
    }
}

impl Answers for u8 {
    type Topic = ();
    fn topic(&self) {}
}

#[test]
fn trait_impls_and_default_methods_are_observed() {
    let spans = spans("trait impl", || {
        7u8.topic();
        assert_eq!(run(7u8.later("why")), 3);
        Wrapper(&5).to_string()
    });
    let functions: Vec<_> = spans.iter().map(|span| &*span.code.as_ref().unwrap().function).collect();
    let module = "forms::containers";
    assert_eq!(
        functions,
        [
            format!("{module}::Answers::later"),
            format!("{module}::Answers::answer"),
            format!("{module}::Wrapper::fmt")
        ]
    );
    assert_eq!(spans[1].span_type, observe::SpanType::Agent);
}

#[observe(level = "debug")]
mod whole {
    #![allow(dead_code)]
    use std::collections::{BTreeMap, HashMap};

    pub(super) static GREETING: [&str; 1] = ["hello"];
    pub(super) type Map = HashMap<u8, BTreeMap<u8, u8>>;

    macro_rules! not_looked_into {
        () => {
            pub(super) fn made() -> u8 {
                1
            }
        };
    }
    not_looked_into!();

    pub(super) struct Sized<const N: usize = { 1 + 1 }>;

    pub(super) fn sized() -> Sized<{ 2 + 1 }> {
        Sized
    }

    pub(super) fn free(map: &Map) -> usize {
        map.len() + nested::deep(1) + usize::from(made())
    }

    pub(super) struct Thing;

    impl Thing {
        pub(super) fn method(&self) -> u8 {
            left_out::quiet()
        }
    }

    #[observe::observe(skip)]
    impl Drop for Thing {
        fn drop(&mut self) {}
    }

    mod nested {
        pub(super) fn deep(n: usize) -> usize {
            n
        }
    }

    #[observe::observe(skip)]
    mod left_out {
        pub(super) fn quiet() -> u8 {
            3
        }
    }
}

#[test]
fn every_function_of_a_module_is_observed_at_any_depth() {
    let spans = spans("module", || {
        assert_eq!(whole::GREETING.len(), 1);
        whole::free(&whole::Map::new());
        whole::Thing.method();
        whole::sized();
    });
    let lines: Vec<_> = spans.iter().map(crate::seen::line).collect();
    assert_eq!(
        lines,
        [
            r#"free {"map":{}} -> 2"#,
            r#"deep {"n":1} -> 1"#,
            "method - -> 3",
            r#"sized - -> "<forms::containers::whole::Sized<3>>""#
        ]
    );
    assert!(spans.iter().all(|span| span.level == observe::Level::Debug));
    assert_eq!(spans[1].code.as_ref().unwrap().function, "forms::containers::whole::nested::deep");
}

#[test]
fn the_mark_that_leaves_a_function_out_does_nothing_on_its_own() {
    #[observe(skip)]
    fn alone(n: u8) -> u8 {
        n
    }
    assert_eq!(seen("alone", || alone(1)), "");
}
