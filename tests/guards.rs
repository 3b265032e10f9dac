//! What a guard promises: its scope is in force until it is dropped, in whatever order that happens, and not longer.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};

use observe::{Status, TraceId, attributes, current_span, observe, session, span, trace_context};
use support::{id, named, trace, tree};

#[observe(skip_all)]
fn leaf(name: &str) {
    current_span().name(name);
}

#[test]
fn a_guard_keeps_its_scope_in_force_until_it_is_dropped() {
    let trace_id = id("guard");
    {
        let _trace = trace_context(trace_id, None).enter();
        let _session = session("s").enter();
        let root = span("root").enter();
        leaf("inside");
        drop(root);
        leaf("after");
    }
    assert_eq!(observe::current_trace_id(), None);
    let spans = trace(trace_id);
    assert_eq!(tree(&spans), "root\n inside\nafter\n");
    assert!(spans.iter().all(|s| s.attributes.session.as_deref() == Some("s")));
}

#[test]
fn guards_dropped_in_another_order_leave_nothing_in_force() {
    let trace_id = id("guard order");
    let trace_guard = trace_context(trace_id, None).enter();
    let session_guard = session("s").enter();
    let outer = span("outer").enter();
    let user = attributes().user("u").enter();
    let inner = span("inner").enter();
    drop(outer);
    leaf("in inner");
    drop(session_guard);
    drop(inner);
    leaf("in user");
    drop(trace_guard);
    drop(user);
    assert_eq!(observe::current_trace_id(), None);
    session("fresh").sync_scope(|| span("fresh").trace_id(trace_id).sync_scope(|| {}));
    let spans = trace(trace_id);
    assert_eq!(tree(&spans), "outer\n inner\n  in inner\n in user\nfresh\n");
    let fresh = &named(&spans, "fresh").attributes;
    assert_eq!((fresh.session.as_deref(), fresh.user.as_deref()), (Some("fresh"), None));
    assert_eq!(named(&spans, "in user").attributes.user.as_deref(), Some("u"));
}

#[test]
fn a_guard_that_outlives_the_call_it_was_made_in_leaves_nothing_behind() {
    #[observe(skip_all)]
    fn opens() -> observe::ScopeGuard {
        let _gone = attributes().user("gone").enter();
        session("escaped").enter()
    }
    let trace_id = id("escaped");
    session("around").sync_scope(|| {
        trace_context(trace_id, None).sync_scope(|| {
            let guard = opens();
            leaf("while it lives");
            drop(guard);
            leaf("then");
            attributes().tag("t").sync_scope(|| leaf("tagged"));
        });
    });
    let spans = trace(trace_id);
    for name in ["opens", "while it lives", "then", "tagged"] {
        assert_eq!(named(&spans, name).attributes.session.as_deref(), Some("around"), "{name}");
        assert_eq!(named(&spans, name).parent_id, None, "{name}");
        assert_eq!(named(&spans, name).attributes.user, None, "{name}");
    }
}

#[test]
fn a_guard_that_is_given_away_to_a_call_inside_it_leaves_nothing_behind() {
    #[observe(skip_all)]
    fn takes(guard: observe::ScopeGuard) {
        drop(guard);
        leaf("still inside the call");
    }
    let trace_id = id("given away");
    let around = trace_context(trace_id, None).enter();
    takes(span("given").session("s").enter());
    leaf("after");
    drop(around);
    assert_eq!(observe::current_trace_id(), None);
    let spans = trace(trace_id);
    assert_eq!(tree(&spans), "given\n takes\n  still inside the call\nafter\n");
    assert_eq!(named(&spans, "after").attributes.session, None);
}

#[test]
fn a_guard_made_while_unwinding_ends_as_what_it_guards_did() {
    struct Cleans(TraceId);
    impl Drop for Cleans {
        fn drop(&mut self) {
            let _span = span("clean-up").trace_id(self.0).enter();
        }
    }
    let trace_id = id("unwinding");
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _cleans = Cleans(trace_id);
        panic!("on the way");
    }));
    assert!(unwound.is_err());
    assert_eq!(named(&trace(trace_id), "clean-up").status, Status::Ok);
}
