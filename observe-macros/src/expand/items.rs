//! Items inside a body, such as a `struct` that only this function knows.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::quote;
use syn::{Block, Item, Stmt, parse::Parser};

use crate::function::Function;

/// Takes the items out of a body that is to run inside a closure or an async block.
///
/// Left there they would have another path, which `type_name` shows and a program may look at. Where the body has a macro
/// of its own they stay, since they may use it.
pub(super) fn take(function: &mut Function) -> TokenStream {
    let body = function.body.stream();
    // Parsing costs time, and most bodies have none.
    if !body.clone().into_iter().any(|token| begins_type(&token)) {
        return TokenStream::new();
    }
    let Ok(statements) = Block::parse_within.parse2(body) else { return TokenStream::new() };
    if statements.iter().any(|statement| matches!(statement, Stmt::Item(Item::Macro(_)))) {
        return TokenStream::new();
    }
    let (items, rest): (Vec<_>, Vec<_>) =
        statements.into_iter().partition(|statement| matches!(statement, Stmt::Item(_)));
    let mut braces = Group::new(Delimiter::Brace, quote!(#(#rest)*));
    braces.set_span(function.body.span());
    function.body = braces;
    quote!(#(#items)*)
}

fn begins_type(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Ident(word) if ["struct", "enum", "union", "fn"].iter().any(|begin| word == begin))
}
