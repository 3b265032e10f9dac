//! The function anew: what it did, with a span around it.

mod capture;

use proc_macro2::TokenStream;
use quote::quote;

use crate::{
    args::{self, Args},
    function::Function,
};

/// The function with its body inside a span.
pub(crate) fn expand(args: &Args, function: &Function) -> TokenStream {
    let Function { attributes, visibility, signature, body } = function;
    let krate = &args.krate;
    let site = site(args, function);
    let start = start(args);
    let arguments = capture::arguments(args);
    let extras = capture::extras(args);
    let outcome = capture::outcome(args, function);
    let edge = return_edge(function);
    let (call, run) = if signature.asyncness.is_some() {
        let run = quote! {
            let __observe_body = ::core::pin::pin!(async move { #edge #body });
            let __observe_return = __observe_call.run(__observe_body).await;
        };
        (quote!(AsyncCall), run)
    } else {
        // The early return is what makes a call cheap that is not observed: its path needs nothing of the other's.
        let run = quote! {
            let __observe_body = #krate::__private::once(move || { #edge #body });
            if !__observe_call.is_live() {
                return __observe_body();
            }
            let __observe_return = __observe_body();
        };
        (quote!(SyncCall), run)
    };
    quote! {
        #(#attributes)*
        #visibility #signature {
            #site
            let mut __observe_call = #krate::__private::#call::new();
            if #krate::__private::is_on() {
                let mut __observe_start = #krate::__private::Start::new();
                #start
                if __observe_start.is_recording() {
                    #arguments
                    __observe_call.enter(&mut __observe_start);
                    #extras
                }
            }
            #run
            #outcome
            __observe_return
        }
    }
}

/// The static that describes the function.
fn site(args: &Args, function: &Function) -> TokenStream {
    let (krate, span_type, level) = (&args.krate, &args.span_type, &args.level);
    let own_name = function.name();
    let name = args.name.as_ref().and_then(args::literal).unwrap_or_else(|| own_name.clone());
    quote! {
        static __OBSERVE_SITE: #krate::__private::Site = #krate::__private::Site::new(
            #name,
            #krate::__private::SpanType::#span_type,
            #krate::__private::Level::#level,
            ::core::concat!(::core::module_path!(), "::", #own_name),
            ::core::file!(),
            ::core::line!(),
        );
    }
}

/// Places the span.
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
        quote!(__observe_call.start(&mut __observe_start, &__OBSERVE_SITE);)
    } else {
        quote!(__observe_call.start_at(&mut __observe_start, &__OBSERVE_SITE, &#krate::__private::Place::new() #place);)
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
