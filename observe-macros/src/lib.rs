//! The `#[observe]` attribute. Use it through `observe-ai`, which re-exports it as `observe::observe`.
//!
//! The stages: `args` reads what stands in the attribute, `function` the signature (the body stays tokens), `resolve` works
//! out what the one says of the other, `expand` writes the function anew. `container` finds the functions of an `impl`
//! block, a trait or a module.
#![forbid(unsafe_code)]

mod args;
mod attributes;
mod container;
mod expand;
mod function;
mod resolve;
#[cfg(test)]
mod snapshots;

use proc_macro::TokenStream;
use proc_macro2::TokenStream as TokenStream2;
use quote::quote;
use syn::parse::Parser;

use self::{container::Kind, function::Declared};

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
/// # Futures, streams and iterators
///
/// A function that returns one, `async` or not, is observed until nothing more comes of what it returned, which is in
/// the span at every poll and every `next`, and nowhere between:
///
/// ```ignore
/// #[observe]                                              // ["Hel", "lo"], with the time until "Hel"
/// async fn chat(&self, prompt: &str) -> Result<impl Stream<Item = Result<String, Error>>, Error> { .. }
///
/// #[observe]                                              // as an `async fn` would be
/// fn call(&self, request: Request) -> BoxFuture<'_, Reply> { .. }
/// ```
///
/// The items of a stream or iterator are the output, an array of as many as the capture limit allows; the last element
/// says how many were left out. The first item's time is kept. An `Err` among them fails the span. Dropped before its
/// end, the span is *abandoned*.
///
/// Recognised are `impl Future`, `impl Stream` and `impl Iterator`, unless another bound asks for a trait that the observed
/// value would lack (it has the marker traits, `Clone`, `Debug`, and what iterators and streams are besides), and their
/// boxed trait objects under any alias, also inside `Result` and `Option`. The value of a named type is recorded as it is.
/// With `stream`, the attribute takes your word that it can be observed: a further trait behind `impl` holds for every
/// stream.
///
/// # Arguments
///
/// All are optional. Expressions may use the function's arguments; they are evaluated once a call, and only while
/// recording is on.
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
/// | `redact(arg, arg.field, ..)` | records `[redacted]` in the place of an argument or of something inside it |
/// | `input = expr` | the input, in place of the arguments |
/// | `output = \|ret\| expr` | the output, made of a reference to the value that was returned |
/// | `err = false` | a returned `Err` is an output like any other value and fails nothing |
/// | `capture_input = false` | records no arguments |
/// | `stream` | what is returned is a stream or an iterator, although it is not recognised as one |
/// | `capture_output = false` | records no return value; an `Err` still fails the span |
/// | `crate = path` | where `observe` is found, if not at `::observe` |
///
/// In `redact(arg.messages.content)` the names are those of the recorded JSON, whatever their case and underscores; a name
/// is looked for in every element of an array, a number in its place alone. An argument that is not recorded as JSON is
/// redacted whole. In `output = |ret| expr`, `ret` is what would be recorded: the value of an `Ok`; with `err = false` the
/// whole `Result`. It runs when the function has returned, so of the arguments it can use those that are `Copy`.
///
/// # On an `impl` block, a trait or an inline module
///
/// The attribute stands for itself on every function in it that has a body and is not `const`. Its arguments are defaults:
/// what a function says in its own `#[observe(..)]` replaces them. `#[observe(skip)]` leaves a function, an `impl` block or
/// a module out.
///
/// ```ignore
/// #[observe(as_type = "tool", skip(client))]
/// impl Tools {
///     pub fn search(&self, client: &Client, query: &str) -> Vec<Hit> { .. }
///
///     #[observe(as_type = "retriever")]
///     pub async fn read(&self, client: &Client, page: Page) -> Result<String, Error> { .. }
///
///     #[observe(skip)]
///     fn helper(&self) {}
/// }
/// ```
///
/// # Limits
///
/// - What a function returns under `#[track_caller]`, or as `impl Fn(..)`, is not recorded if it leaves by `return` or `?`.
///   Where a trait of your own says `#[track_caller]`, its implementations must say so too to know their callers.
/// - The closure that an `async fn` returns as `impl Fn(&str)` must name the types of its arguments.
/// - A `Serialize` or `Debug` that holds only for what is `'static` is passed over where the type of the argument names its
///   lifetime (`View<'_>`); where the impl asks it of a type (`T: 'static`), the argument must be skipped.
/// - A value in a lock (`Mutex`, `RwLock`, `DashMap`) that is `Serialize` is recorded by its type's name: its lock may be
///   held, and to wait for it might be to wait for ever. Locks are known by the names of types, in fields, lists, maps and
///   behind pointers too. What else waits, the call waits for: a `Serialize` or `Debug` of your own that locks; a `Mutex`
///   in a type with `#[serde(transparent)]`, `untagged` or `tag`, or in a field with `flatten`; a derived `Debug` of a struct
///   with a `DashMap` in it. `skip` an argument whose lock the caller may hold, or say what to record of it with `input`.
/// - An annotated crate has `serde_json` in its graph of dependencies, whose `impl PartialEq<Value>` for numbers and texts the
///   compiler then considers: `assert_eq!(numbers, vec![])`, where nothing else says of what the empty list is, needs
///   `Vec::<usize>::new()`. That is so with any dependency that has `serde_json`.
/// - A function that returns `impl Trait` and ends in no other way than a call that never returns (`fn f() -> impl Debug {
///   fail() }`) must be left out: its type is known to nobody before the whole function is read.
/// - What the attribute writes allows `unreachable_code` for a statement of its own, so a crate can deny that lint but not forbid it.
/// - A function that is `async`, `dyn` or `try` by name, as edition 2015 allows, is left as it is.
///
/// With the feature `off` of `observe-ai` the attribute checks its arguments and leaves the function as it is.
#[proc_macro_attribute]
pub fn observe(args: TokenStream, item: TokenStream) -> TokenStream {
    observed(args.into(), item.into()).into()
}

/// The item with what records it. A mistake is an error beside the item, which stays: one mistake is one error.
fn observed(args: TokenStream2, item: TokenStream2) -> TokenStream2 {
    let item = function::ungrouped(item);
    if args::is_skip(&args) {
        return item;
    }
    match expanded(args, &item) {
        Ok(_) if cfg!(feature = "off") => item,
        Ok(Some(expanded)) => expanded,
        Ok(None) => item,
        Err(error) => {
            let error = error.into_compile_error();
            quote!(#error #item)
        }
    }
}

/// `None` for what is no Rust yet, as while someone types: the compiler and the editor see it unchanged.
fn expanded(args: TokenStream2, item: &TokenStream2) -> syn::Result<Option<TokenStream2>> {
    let given = args::parse(args)?;
    Ok(match container::kind(item.clone()) {
        Kind::Function => match function::read.parse2(item.clone()) {
            Ok(Declared::Function(function)) => {
                Some(expand::expand(&resolve::resolve(given, &function)?, &function))
            }
            Ok(Declared::Unfit(_, error)) => return Err(error),
            Err(_) => None,
        },
        Kind::Container => match container::parse(item.clone()) {
            Ok(container) => Some(container::expand(&container, &given)?),
            Err(_) => None,
        },
        Kind::Other { word: Some(word), .. } => {
            let text = "#[observe] stands on a function, an `impl` block, a trait or an inline module";
            return Err(syn::Error::new_spanned(word, text));
        }
        Kind::Other { word: None, .. } => None,
    })
}
