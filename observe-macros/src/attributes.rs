//! The attributes of what is observed, as they are for something whose body is another: what was expected of it may not
//! happen any more, since an argument that is captured is used.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::quote;
use syn::{Attribute, FnArg, Meta};

use crate::function::{self, Function};

/// A function's attributes. What `#![..]` says in its body, `#[..]` says of it.
pub(crate) fn of(function: &mut Function) -> TokenStream {
    expect_nothing(&mut function.attributes);
    for input in &mut function.signature.inputs {
        expect_nothing(match input {
            FnArg::Receiver(receiver) => &mut receiver.attrs,
            FnArg::Typed(typed) => &mut typed.attrs,
        });
    }
    let attributes = &function.attributes;
    let mut attributes = quote!(#(#attributes)*);
    let mut body = function.body.stream().into_iter().peekable();
    while let Some(TokenTree::Punct(sign)) = body.peek().filter(|token| is_sign(token, '#')) {
        let (sign, mut ahead) = (sign.clone(), body.clone().skip(1));
        let (Some(bang), Some(TokenTree::Group(group))) = (ahead.next(), ahead.next()) else { break };
        if !is_sign(&bang, '!') {
            break;
        }
        let allowed = function::with_content(&group, allowed(group.stream()));
        attributes.extend([TokenTree::Punct(sign), TokenTree::Group(allowed)]);
        body = body.skip(3).collect::<TokenStream>().into_iter().peekable();
    }
    function.body = function::with_content(&function.body, body.collect());
    attributes
}

/// Makes `#[allow(..)]` of every `#[expect(..)]`.
pub(crate) fn expect_nothing(attributes: &mut [Attribute]) {
    for attribute in attributes {
        let Meta::List(list) = &mut attribute.meta else { continue };
        if let Some(name) = list.path.get_ident().filter(|name| *name == "expect") {
            list.path = Ident::new("allow", name.span()).into();
        } else if list.path.is_ident("cfg_attr") {
            list.tokens = allowed(std::mem::take(&mut list.tokens));
        }
    }
}

/// The same of what stands in `#[..]` or in `cfg_attr(..)`.
fn allowed(tokens: TokenStream) -> TokenStream {
    let (mut allowed, mut begins, mut is_cfg) = (TokenStream::new(), true, false);
    for token in tokens {
        let next_begins = is_sign(&token, ',');
        let next_is_cfg = matches!(&token, TokenTree::Ident(name) if name == "cfg_attr");
        allowed.extend([match token {
            TokenTree::Ident(name) if begins && name == "expect" => Ident::new("allow", name.span()).into(),
            TokenTree::Group(group) if is_cfg && group.delimiter() == Delimiter::Parenthesis => {
                Group::into(function::with_content(&group, self::allowed(group.stream())))
            }
            token => token,
        }]);
        (begins, is_cfg) = (next_begins, next_is_cfg);
    }
    allowed
}

fn is_sign(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}
