//! Values that are too long or too deep.

use super::*;

#[test]
fn only_as_many_elements_are_serialised_as_the_cap_has_room_for() {
    struct Counted<'a>(&'a Cell<usize>);
    impl Serialize for Counted<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.0.set(self.0.get() + 1);
            serializer.serialize_str("0123456")
        }
    }
    let count = Cell::new(0);
    let many = (0..4_000_000).map(|_| Counted(&count)).collect::<Vec<_>>();
    let mut chunk = Chunk::of(2000, capped(999));
    let (len, outcome) = capture(&("first", &many, "last"), &mut chunk, 0, capped(999));
    assert_eq!((outcome.cut, count.get()), (Some(Cut::Size), 99));
    let json = render(&chunk.bytes[..len]);
    assert!(json.ends_with(r#","0123456","$cut: 3999901 more"],"$cut: 1 more"]"#), "{json}");

    count.set(0);
    let mut small = Chunk::of(500, Limits::default());
    capture(&many, &mut small, 0, Limits::default());
    assert!(small.full && count.get() < 60, "a full sink stops the capture: {}", count.get());
}

#[test]
fn a_value_s_own_loop_ends_with_the_cut() {
    struct Endless<'a>(&'a Cell<usize>);
    impl Serialize for Endless<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut seq = serializer.serialize_seq(None)?;
            loop {
                self.0.set(self.0.get() + 1);
                seq.serialize_element(&0u8)?;
            }
        }
    }
    let count = Cell::new(0);
    let (json, _) = json(&Endless(&count), capped(20));
    assert_eq!(json, r#"[0,0,0,0,0,0,0,0,0,0,"$cut"]"#);
    assert_eq!(count.get(), 2 * 11, "two captures of ten elements and the one that was refused");
}

#[test]
fn what_is_cut_is_said() {
    #[derive(Serialize)]
    struct Fields {
        a: &'static str,
        b: u8,
        c: u8,
    }
    #[derive(Serialize)]
    enum Variant {
        New(&'static str),
        Tuple(u8, u8),
        Named { a: u8, b: u8 },
    }
    let cut = |value: &dyn erased::Value, bytes| value.cut_at(bytes);
    assert_eq!(cut(&Fields { a: "0123456789", b: 1, c: 2 }, 12), r#"{"a":"0123456…[+3 bytes]","$cut":2}"#);
    assert_eq!(cut(&BTreeMap::from([(1, 2), (3, 4)]), 4), r#"{"1":2,"$cut":1}"#);
    assert_eq!(cut(&vec![1, 2, 3], 0), r#"["$cut: 3 more"]"#);
    assert_eq!(cut(&b"abc".to_vec(), 3), r#"[97,"$cut: 2 more"]"#);
    assert_eq!(cut(&"é\n".to_owned(), 1), r#""…[+3 bytes]""#);
    assert_eq!(cut(&"x".repeat(300), 260), format!(r#""{}…[+40 bytes]""#, "x".repeat(260)));
    assert_eq!(cut(&"\n".repeat(300), 10), r#""\n\n\n\n\n…[+295 bytes]""#);
    assert_eq!(cut(&format_args!("{}-{}", 12345, "abcdef"), 8), r#""12345-a…[+5 bytes]""#);
    assert_eq!(cut(&[Variant::New("x")], 1), r#"[{"New":"$cut"}]"#);
    assert_eq!(cut(&Variant::Tuple(1, 2), 3), r#"{"Tuple":["$cut: 2 more"]}"#);
    assert_eq!(cut(&Variant::Named { a: 1, b: 2 }, 12), r#"{"Named":{"a":1,"$cut":1}}"#);
}

/// Values of different types in one table.
mod erased {
    use super::*;

    pub(super) trait Value {
        fn cut_at(&self, bytes: usize) -> String;
    }

    impl<T: Serialize> Value for T {
        fn cut_at(&self, bytes: usize) -> String {
            let (json, outcome) = json(self, capped(bytes));
            assert_eq!(outcome.cut, Some(Cut::Size));
            json
        }
    }
}

#[test]
fn a_value_that_is_fifty_thousand_levels_deep_is_cut() {
    #[derive(Serialize, Default)]
    struct List {
        next: Option<Box<List>>,
    }
    #[derive(Serialize)]
    enum Wrapped {
        End,
        In(Box<Wrapped>),
    }
    #[derive(Serialize)]
    struct Thin(Option<Box<Thin>>);

    let (mut list, mut wrapped, mut thin) = (List::default(), Wrapped::End, Thin(None));
    for _ in 0..50_000 {
        list = List { next: Some(Box::new(list)) };
        wrapped = Wrapped::In(Box::new(wrapped));
        thin = Thin(Some(Box::new(thin)));
    }
    let expected = format!("{}\"$cut: too deep\"{}", r#"{"next":"#.repeat(64), "}".repeat(64));
    assert_eq!(
        json(&list, Limits::default()),
        (expected, Outcome { cut: Some(Cut::Depth), ..Outcome::default() })
    );
    assert!(json(&wrapped, Limits::default()).0.starts_with(&r#"{"In":"#.repeat(64)));
    assert_eq!(json(&thin, Limits::default()).0, "\"$cut: too deep\"");

    // Dropped by hand: the derived drop is as deep as the value.
    while let Some(next) = list.next.take() {
        list = *next;
    }
    while let Wrapped::In(next) = wrapped {
        wrapped = *next;
    }
    while let Some(next) = thin.0.take() {
        thin = *next;
    }
}

#[test]
fn sixty_four_levels_of_any_kind_are_within_what_serde_json_reads() {
    #[derive(Serialize)]
    enum Level {
        Tuple(u8, Vec<Level>),
        Named { a: Vec<Level> },
    }
    let mut value = Level::Named { a: vec![] };
    for _ in 0..100 {
        value = Level::Tuple(1, vec![Level::Named { a: vec![value] }]);
    }
    assert_eq!(json(&value, Limits::default()).1.cut, Some(Cut::Depth));
}

#[test]
fn depth_is_given_back_where_a_level_ends() {
    #[derive(Serialize, Clone)]
    enum Level {
        New(u8),
        Tuple(u8, u8),
        Named { a: u8 },
    }
    same(&vec![
        (
            Level::New(1),
            Level::Tuple(1, 2),
            Level::Named { a: 3 },
            BTreeMap::from([(1, [2])]),
            Some(Some(()))
        );
        300
    ]);
}
