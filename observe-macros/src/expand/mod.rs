//! The function anew: what it did, with a span around it.

mod capture;

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;

use crate::{
    args::{self, Args},
    function::Function,
};

/// The function with its body inside a span.
pub(crate) fn expand(args: &Args, function: &Function) -> TokenStream {
    let Function { attributes, visibility, signature, .. } = function;
    let krate = &args.krate;
    let site = site(args, function);
    let start = start(args);
    let arguments = capture::arguments(args, function);
    let mut extras = capture::extras(args);
    if signature.asyncness.is_some() && !extras.is_empty() {
        // The span is in force here: nothing may wait.
        extras = quote!((|| { #extras })(););
    }
    let (call, run) = if signature.asyncness.is_some() {
        (quote!(AsyncCall), run_async(args, function))
    } else {
        (quote!(SyncCall), run_sync(args, function))
    };
    quote! {
        #(#attributes)*
        #visibility #signature {
            #site
            let mut __observe_call = #krate::__private::#call::new();
            if #krate::__private::is_on() {
                let mut __observe_start = #krate::__private::Start::new();
                if #start {
                    #arguments
                    __observe_call.enter(&mut __observe_start);
                    #extras
                }
            }
            #run
        }
    }
}

/// The body of a function that runs to its end on one thread, and the end of its span.
fn run_sync(args: &Args, function: &Function) -> TokenStream {
    let krate = &args.krate;
    let Function { body, .. } = function;
    let outcome = capture::outcome(args, function);
    if leaves_early(body.clone()) {
        let edge = return_edge(function);
        // The early return is what makes a call cheap that is not observed: its path needs nothing of the other's.
        return quote! {
            let __observe_body = #krate::__private::once(move || { #edge #body });
            if !__observe_call.is_live() {
                return __observe_body();
            }
            let __observe_return = __observe_body();
            #outcome
            __observe_return
        };
    }
    // Without a closure: it would be a quarter of what the function costs to compile.
    let ty = function.repeatable_return().map(|ty| quote!(: #ty));
    quote! {
        let __observe_return #ty = { #body };
        #outcome
        __observe_return
    }
}

/// The same for a function that is polled.
fn run_async(args: &Args, function: &Function) -> TokenStream {
    let Function { body, .. } = function;
    let (edge, outcome) = (return_edge(function), capture::outcome(args, function));
    quote! {
        let __observe_body = ::core::pin::pin!(async move { #edge #body });
        let __observe_return = __observe_call.run(__observe_body).await;
        #outcome
        __observe_return
    }
}

/// Whether a body may return before its end: by `return`, by `?`, or inside a macro, of which nobody knows.
fn leaves_early(body: TokenStream) -> bool {
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

/// The static that describes the function.
fn site(args: &Args, function: &Function) -> TokenStream {
    let (krate, span_type, level) = (&args.krate, &args.span_type, &args.level);
    let own_name = function.name();
    let names = capture::names(args);
    let name = args.name.as_ref().and_then(args::literal).unwrap_or_else(|| own_name.clone());
    quote! {
        static __OBSERVE_SITE: #krate::__private::Site = #krate::__private::Site::new(
            #name,
            #krate::__private::SpanType::#span_type,
            #krate::__private::Level::#level,
            ::core::concat!(::core::module_path!(), "::", #own_name),
            ::core::file!(),
            ::core::line!(),
            &[#(#names),*],
        );
    }
}

/// Places the span; whether arguments are wanted.
fn start(args: &Args) -> TokenStream {
    let krate = &args.krate;
    let mut place = TokenStream::new();
    for (method, expr) in [
        (quote!(trace_id), &args.trace_id),
        (quote!(parent), &args.parent),
        (quote!(session), &args.session),
        (quote!(user), &args.user),
    ] {
        if let Some(expr) = expr {
            place.extend(quote!(.#method(#expr)));
        }
    }
    place.extend(args.tags.iter().map(|tag| quote!(.tag(#tag))));
    if place.is_empty() {
        quote!(__observe_call.start(&mut __observe_start, &__OBSERVE_SITE))
    } else {
        quote!(__observe_call.start_at(&mut __observe_start, &__OBSERVE_SITE, &#krate::__private::Place::new() #place))
    }
}

/// Never taken, but tells the compiler the type of the body before it reads it, so that `?` and literals are inferred
/// and type errors are reported as they would be without the attribute.
fn return_edge(function: &Function) -> TokenStream {
    let Some(ty) = function.repeatable_return() else { return TokenStream::new() };
    quote! {
        #[allow(unreachable_code, clippy::all, clippy::pedantic, clippy::nursery, clippy::restriction)]
        if false {
            let __observe_never: #ty = loop {};
            return __observe_never;
        }
    }
}
