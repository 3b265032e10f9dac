//! What happens while nothing is recorded: the functions, and nothing else.

use std::cell::Cell;

use observe::observe;

thread_local! {
    static EVALUATED: Cell<u32> = const { Cell::new(0) };
}

/// Counts how often it is evaluated.
fn counted<T>(value: T) -> T {
    EVALUATED.with(|count| count.set(count.get() + 1));
    value
}

#[observe(
    name = counted("n"), model = counted(1), version = counted(1), session = counted(1), user = counted(1),
    tags = [counted(1)], metadata = { a: counted(n) }, trace_id = counted(None::<observe::TraceId>),
    parent = counted(None::<observe::SpanId>), input = counted(n), output = |out| counted(*out),
)]
fn call(n: u8) -> u8 {
    n + 1
}

#[test]
fn no_expression_of_the_attribute_is_evaluated() {
    assert_eq!(call(1), 2);
    assert_eq!(EVALUATED.get(), 0);
}
