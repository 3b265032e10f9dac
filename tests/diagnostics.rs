//! What the compiler says when the attribute is used wrongly: at the wrong token, with the nearest right word.

#[test]
fn mistakes_are_named_where_they_are_made() {
    trybuild::TestCases::new().compile_fail("tests/ui/fail/*.rs");
}
