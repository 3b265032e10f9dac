//! The calls that capture values. Each finds its way by the value's type: see `observe_runtime`'s `capture::probe`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{FnArg, Ident, Pat, Type, ext::IdentExt};

use crate::{
    args::{self, Args},
    function::Function,
};

/// The names under which arguments are captured.
pub(super) fn names(args: &Args) -> impl Iterator<Item = String> {
    args.captured.iter().map(|name| name.unraw().to_string())
}

/// The arguments, in the order of [`names`].
pub(super) fn arguments(args: &Args, function: &Function) -> TokenStream {
    let krate = &args.krate;
    let mut calls = TokenStream::new();
    for name in &args.captured {
        // What a reference points to: the address of the parameter itself is then never taken, so that it can stay in
        // a register while nothing is recorded.
        let value = if is_reference(function, name) { quote!(&*#name) } else { quote!(&#name) };
        calls.extend(quote!(#krate::__private::probe(#value).argument(&mut __observe_start);));
    }
    calls
}

/// Whether the parameter `name` is written with a type that is a reference.
fn is_reference(function: &Function, name: &Ident) -> bool {
    function.signature.inputs.iter().any(|input| match input {
        FnArg::Typed(input) => match (&*input.pat, &*input.ty) {
            (Pat::Ident(pattern), Type::Reference(_)) => {
                pattern.ident == *name && pattern.by_ref.is_none() && pattern.subpat.is_none()
            }
            _ => false,
        },
        FnArg::Receiver(_) => false,
    })
}

/// What the attribute's other arguments say of the span once it has begun.
pub(super) fn extras(args: &Args) -> TokenStream {
    let krate = &args.krate;
    let name = args.name.as_ref().filter(|name| args::literal(name).is_none());
    let mut calls = TokenStream::new();
    for (method, expr) in
        [(quote!(name), name), (quote!(model), args.model.as_ref()), (quote!(version), args.version.as_ref())]
    {
        if let Some(expr) = expr {
            calls.extend(quote!(__observe_call.#method(#expr);));
        }
    }
    for (name, expr) in &args.metadata {
        calls.extend(quote!(#krate::__private::probe(&#expr).metadata(#name, &__observe_call);));
    }
    calls
}

/// The end of the span, by what the function returned.
pub(super) fn outcome(args: &Args, function: &Function) -> TokenStream {
    let krate = &args.krate;
    if function.returns_unit() {
        return quote!(__observe_call.returned_nothing(););
    }
    let output = if args.capture_output { quote!(output) } else { quote!(unseen) };
    quote! {
        if __observe_call.is_recording() {
            // Moved, so that a value whose address is never taken stays in registers while nothing is recorded.
            let __observe_return = __observe_return;
            let __observe_parts = #krate::__private::returned(&__observe_return).parts();
            __observe_parts.0.#output(&mut __observe_call);
            __observe_parts.1.fail(&mut __observe_call);
            return __observe_return;
        }
    }
}
