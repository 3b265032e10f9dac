//! The user's body, so that it does what it did: same type, same order of drops, same edition.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::ReturnType;

use super::returned::{self, Later, mentions};
use crate::function::{self, Function, Returns};

/// The body in its own braces, which say by which edition's rules its temporaries are dropped. What stands before it
/// makes the closure or the async block around it own the arguments whole, the last one first: that is the order in which
/// it drops them.
pub(super) fn block(function: &Function, first: &TokenStream) -> Group {
    let keep = function.owned().into_iter().rev().map(|parameter| {
        let (cfgs, name) = (parameter.attributes(), parameter.name);
        quote_spanned!(Span::mixed_site()=> #(#cfgs)* let _ = &#name;)
    });
    let body = function.body.stream();
    braces(function, quote!(#(#keep)* #first #body))
}

/// `content` in the braces of the user's body.
pub(super) fn braces(function: &Function, content: TokenStream) -> Group {
    function::with_content(&function.body, content)
}

/// The body by itself, as what a function ends with. What stands before it keeps the compiler from finding the braces
/// unnecessary.
pub(super) fn alone(function: &Function) -> Group {
    let body = function.body.stream();
    braces(function, quote_spanned!(Span::mixed_site()=> {} #body))
}

/// What looks at the arguments of an `async fn`, so that they are moved through a scope of its own: an argument that was
/// ever borrowed in the scope of the function would be kept there until the end, beside the body that it was moved to.
pub(super) fn unborrowed(function: &mut Function, looks: TokenStream) -> TokenStream {
    let owned = function.take_mut();
    if owned.is_empty() {
        return looks;
    }
    let names: Vec<_> = owned.iter().map(|(_, name)| name).collect();
    let bindings = owned.iter().map(|(mutability, name)| quote!(#mutability #name));
    quote_spanned! {Span::mixed_site()=>
        #[allow(clippy::shadow_reuse, clippy::used_underscore_binding)]
        let (#(#bindings,)*) = {
            let (#(#names,)*) = (#(#names,)*);
            #looks
            (#(#names,)*)
        };
    }
}

/// Whether a body may return before its end: by `return`, by `?`, or inside a macro, of which nobody knows.
pub(super) fn leaves_early(body: TokenStream) -> bool {
    let mut after_name = false;
    body.into_iter().any(|token| {
        let leaves = match &token {
            TokenTree::Ident(name) => name == "return",
            TokenTree::Punct(sign) => sign.as_char() == '?' || (sign.as_char() == '!' && after_name),
            TokenTree::Group(group) => leaves_early(group.stream()),
            TokenTree::Literal(_) => false,
        };
        after_name = matches!(token, TokenTree::Ident(_));
        leaves
    })
}

/// Whether a body is seen never to end. What it returns, if that has no name, has then no type before the whole function is
/// read, and nothing that depends on it can be asked.
pub(super) fn never_ends(body: &TokenStream) -> bool {
    const REFUSALS: [&str; 4] = ["panic", "todo", "unimplemented", "unreachable"];
    let mut tokens: Vec<_> = body.clone().into_iter().collect();
    if tokens.last().is_some_and(|token| is_sign(token, ";")) {
        tokens.pop();
    }
    let (before, never_ends) = match tokens.as_slice() {
        [before @ .., TokenTree::Ident(name), sign, TokenTree::Group(_)] if is_sign(sign, "!") => {
            (before, REFUSALS.iter().any(|refusal| name == refusal))
        }
        [before @ .., TokenTree::Ident(name), TokenTree::Group(body)] => {
            (before, name == "loop" && !mentions(&body.stream(), &|word| word == "break"))
        }
        _ => return false,
    };
    // A statement of its own, not an operand.
    let is_whole = before.last().is_none_or(|token| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        token => is_sign(token, ";:"),
    });
    never_ends && is_whole && !mentions(body, &|word| word == "return")
}

fn is_sign(token: &TokenTree, signs: &str) -> bool {
    matches!(token, TokenTree::Punct(sign) if signs.contains(sign.as_char()))
}

/// How the compiler learns the type of the body before it reads it, so that `?`, literals and closures are inferred and
/// type errors are reported as they would be without the attribute.
pub(super) struct Typed {
    /// What comes before the body.
    pub(super) before: TokenStream,
    /// What a closure around it says it returns: what the function says, so that its lifetimes are those of the function.
    pub(super) arrow: TokenStream,
    /// Where that cannot be said: something in the body that is never reached.
    pub(super) first: TokenStream,
}

pub(super) fn typed(function: &Function, later: Option<&Later>, krate: &TokenStream) -> Typed {
    let here = Span::mixed_site();
    let never = |value: TokenStream| {
        quote_spanned! {here=>
            #[allow(unreachable_code, clippy::diverging_sub_expression)]
            if false {
                #value
            }
        }
    };
    let ty = match function.returns() {
        Returns::Unit => quote!(()),
        Returns::Never => quote!(!),
        Returns::Named(ty) => quote!(#ty),
        // What the function returns is of another type than the body.
        Returns::Hidden if later.is_some_and(Later::is_opaque) => match returned::repeatable(function) {
            Some(ty) => quote!(#ty),
            None => return Typed { before: quote!(), arrow: quote!(), first: quote!() },
        },
        // The type has no name: it is taken from what the function returns.
        Returns::Hidden => {
            let edge = never(quote_spanned!(here=> return #krate::__private::Same::never(__observe_same);));
            let same = quote_spanned!(here=> let __observe_same = #krate::__private::Same::new(););
            return Typed { before: quote!(#same #edge), arrow: quote!(), first: edge };
        }
    };
    let first = match function.signature.asyncness {
        Some(_) if !matches!(function.returns(), Returns::Never) => {
            never(quote_spanned!(here=> return #krate::__private::never::<#ty>();))
        }
        _ => TokenStream::new(),
    };
    Typed { before: TokenStream::new(), arrow: quote_spanned!(here=> -> #ty), first }
}

/// Where what the function returns leaves it, as the compiler shows it who says that its lifetime is wrong: at the end of the
/// body, or where it might be elsewhere too, at the type.
pub(super) fn exit(function: &Function) -> Span {
    let borrows =
        |token: &TokenTree| is_sign(token, "&'") || matches!(token, TokenTree::Ident(name) if name == "dyn");
    let ReturnType::Type(_, ty) = &function.signature.output else { return Span::mixed_site() };
    let (ty, body) = (quote!(#ty), function.body.stream());
    let at = match any(&ty, &borrows) {
        true if leaves_early(body.clone()) => ty.into_iter().next(),
        true => body.into_iter().last(),
        false => None,
    };
    at.map_or_else(Span::mixed_site, |at| Span::mixed_site().located_at(at.span()))
}

fn any(tokens: &TokenStream, is_it: &dyn Fn(&TokenTree) -> bool) -> bool {
    tokens.clone().into_iter().any(|token| match &token {
        TokenTree::Group(group) => any(&group.stream(), is_it),
        token => is_it(token),
    })
}
