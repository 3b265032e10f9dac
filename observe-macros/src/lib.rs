//! The `#[observe]` attribute. Use it through `observe-ai`, which re-exports it as `observe::observe`.
//!
//! The stages: `args` reads what stands in the attribute, `function` the signature (the body stays tokens),
//! `expand` writes the function anew.
#![forbid(unsafe_code)]

mod args;
mod expand;
mod function;

use proc_macro::TokenStream;

/// Records every call of a function as a span: its arguments by name, what it returned, when, and how it ended.
///
/// ```ignore
/// #[observe]                                              // span "retrieve": {"query": "..", "k": 3} -> [..]
/// async fn retrieve(query: &str, k: usize) -> Result<Vec<Passage>, Error> { .. }
///
/// #[observe(as_type = "tool", name = format!("search {engine}"), skip(client), metadata = { region: client.region() })]
/// fn search(client: &Client, engine: &str, query: &str) -> Vec<Hit> { .. }
///
/// #[observe(trace_id = TraceId::from_seed(&req.id), session = &req.thread, user = &req.user, tags = ["prod"])]
/// async fn handle(req: Request) -> Reply { .. }
/// ```
///
/// A value is captured as JSON if its type is `Serialize`, else as text if it is `Debug`, else as its type's name; no
/// bound is asked of any type. `self` is left out. `Ok(v)` is recorded as `v`; `Err(e)` ends the span with an error
/// and the text of `e` with its sources. A panic ends it with an error too and goes on unwinding. A future that is
/// dropped before it finished ends its span *cancelled*.
///
/// # Arguments
///
/// All are optional. Expressions may use the function's arguments; they are evaluated once a call, and only while it
/// is recorded.
///
/// | | |
/// |---|---|
/// | `name = expr` | the span's name, in place of the function's |
/// | `as_type = "tool"` | `span` `generation` `agent` `tool` `chain` `retriever` `embedding` `evaluator` `guardrail` `event` |
/// | `level = "debug"` | `debug` `default` `warning` `error` |
/// | `model = expr` | the model that is called |
/// | `version = expr` | the version of the component |
/// | `metadata = { key: expr, .. }` | the span's metadata: any values |
/// | `session = expr` `user = expr` `tags = [expr, ..]` | for this span and everything begun inside it |
/// | `trace_id = expr` | a `TraceId` or `Option<TraceId>`: the trace to record in |
/// | `parent = expr` | a `SpanId` or `Option<SpanId>`: the span to record under |
/// | `skip(arg, ..)` `skip_all` | leaves arguments out |
/// | `capture_input = false` | records no arguments |
/// | `capture_output = false` | records no return value; an `Err` still fails the span |
/// | `crate = path` | where `observe` is found, if not at `::observe` |
///
/// With the feature `off` of `observe-ai` the attribute checks its arguments and leaves the function as it is.
#[proc_macro_attribute]
pub fn observe(args: TokenStream, item: TokenStream) -> TokenStream {
    match function::parse(item.clone().into()) {
        Ok(function) => match args::parse(args.into(), &function) {
            Ok(_) if cfg!(feature = "off") => item.into(),
            Ok(args) => expand::expand(&args, &function),
            // The function stays, so that one mistake is one error.
            Err(error) => {
                let (error, item) = (error.into_compile_error(), proc_macro2::TokenStream::from(item));
                quote::quote!(#error #item)
            }
        },
        Err(function::Problem::Unreadable) => item.into(),
        Err(function::Problem::Unfit(error)) => {
            let (error, item) = (error.into_compile_error(), proc_macro2::TokenStream::from(item));
            quote::quote!(#error #item)
        }
    }
    .into()
}
