//! Items inside a body, such as a `struct` that only this function knows.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;
use syn::{Block, Ident, Item, Stmt, parse::Parser};

use crate::function::{self, Function};

/// Macros of the standard library that are called as statements and define nothing.
const PLAIN: [&str; 17] = [
    "assert",
    "assert_eq",
    "assert_ne",
    "dbg",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
    "eprint",
    "eprintln",
    "panic",
    "print",
    "println",
    "todo",
    "unimplemented",
    "unreachable",
    "write",
    "writeln",
];

/// Takes the items out of a body that is to run inside a closure or an async block.
///
/// Left there they would have another path, which `type_name` shows and a program may look at. Where the body has a macro
/// of its own, or calls one that may define items as `thread_local!` does, they stay, since they may use it.
pub(super) fn take(function: &mut Function) -> TokenStream {
    let body = function.body.stream();
    // Parsing costs time, and most bodies have none.
    if !body.clone().into_iter().any(|token| begins_type(&token)) {
        return TokenStream::new();
    }
    let Ok(statements) = Block::parse_within.parse2(body) else { return TokenStream::new() };
    let defines = |statement: &Stmt| match statement {
        Stmt::Item(Item::Macro(_)) => true,
        Stmt::Macro(call) => call.mac.path.segments.last().is_none_or(|name| !is_plain(&name.ident)),
        _ => false,
    };
    if statements.iter().any(defines) {
        return TokenStream::new();
    }
    let (items, rest): (Vec<_>, Vec<_>) =
        statements.into_iter().partition(|statement| matches!(statement, Stmt::Item(_)));
    function.body = function::with_content(&function.body, quote!(#(#rest)*));
    quote!(#(#items)*)
}

fn is_plain(name: &Ident) -> bool {
    PLAIN.iter().any(|plain| name == plain)
}

fn begins_type(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Ident(word) if ["struct", "enum", "union", "fn"].iter().any(|begin| word == begin))
}
