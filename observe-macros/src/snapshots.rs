//! The expansion of some forms, as it stands in `snapshots/*.expanded`. `UPDATE=1 cargo test -p observe-macros` rewrites it.

use std::{fs, path::Path};

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;

use crate::observed;

/// The attribute's arguments and the item without the attribute.
fn taken_apart(item: &str) -> (TokenStream, TokenStream) {
    let tokens: Vec<TokenTree> = item.parse::<TokenStream>().unwrap().into_iter().collect();
    let inside = |at: usize| match tokens.get(at) {
        Some(TokenTree::Group(group)) => group.stream(),
        _ => TokenStream::new(),
    };
    let at = (1..tokens.len()).find(|at| inside(*at).to_string().starts_with("observe")).unwrap();
    let args = inside(at).into_iter().nth(1).map(|group| match group {
        TokenTree::Group(group) => group.stream(),
        other => other.into(),
    });
    let rest = tokens[..at - 1].iter().chain(&tokens[at + 1..]).cloned().collect();
    (args.unwrap_or_default(), rest)
}

/// A method alone is no file.
fn pretty(tokens: TokenStream) -> String {
    match syn::parse2(tokens.clone()) {
        Ok(file) => prettyplease::unparse(&file),
        Err(_) => prettyplease::unparse(&syn::parse2(quote!(impl Anything { #tokens })).unwrap()),
    }
}

#[test]
fn expansions_are_as_they_were_last_looked_at() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots");
    let mut seen = 0;
    for file in fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        seen += 1;
        let (args, item) = taken_apart(&fs::read_to_string(&path).unwrap());
        let (expanded, snapshot) = (pretty(observed(args, item)), path.with_extension("expanded"));
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&snapshot, &expanded).unwrap();
        }
        assert_eq!(expanded, fs::read_to_string(&snapshot).unwrap_or_default(), "{}", snapshot.display());
    }
    assert_eq!(seen, 6);
}

#[test]
fn what_is_no_rust_yet_is_passed_through_unchanged() {
    for unfinished in
        ["fn typing(a: ) -> u8 { a }", "pub fn typing() -> { 1 }", "async fn", "impl Typing", "pub"]
    {
        let item: TokenStream = unfinished.parse().unwrap();
        assert_eq!(observed(TokenStream::new(), item.clone()).to_string(), item.to_string());
    }
}

#[test]
fn a_body_that_does_not_parse_stands_unchanged_in_what_is_written() {
    let body = "let x = ; self . some . ( match )";
    let item: TokenStream = format!("fn typing(&self) -> u8 {{ {body} }}").parse().unwrap();
    let expanded = observed(TokenStream::new(), item.clone()).to_string();
    let kept: TokenStream = body.parse().unwrap();
    assert!(expanded.contains(&kept.to_string()), "{expanded}");
    let unfinished: TokenStream = quote!(impl Typing { #item fn next });
    assert_eq!(observed(TokenStream::new(), unfinished.clone()).to_string(), unfinished.to_string());
}
