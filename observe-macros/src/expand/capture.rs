//! The calls that capture values. The traits they need are in scope around them alone, never around the user's body.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Ident, ext::IdentExt};

use crate::{
    args::{self, Args},
    function::Function,
};

/// A value's capture into `__observe_slot`.
fn put(krate: &TokenStream, value: &TokenStream) -> TokenStream {
    quote! {
        {
            use #krate::__private::{ViaDebug as _, ViaName as _, ViaSerialize as _, ViaUnit as _};
            (&&&&#krate::__private::Probe(#value)).observe_put(__observe_slot);
        }
    }
}

/// A static that holds a name, as JSON between a comma and a colon.
fn key(krate: &TokenStream, name: &str) -> TokenStream {
    let escaped = name.chars().fold(String::new(), |mut text, c| {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if c < ' ' => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => text.push(c),
        }
        text
    });
    let json = format!(",\"{escaped}\":");
    quote! {
        static __OBSERVE_KEY: #krate::__private::Key = #krate::__private::Key::new(#name, #json);
    }
}

/// The arguments, as the fields of the input.
pub(super) fn arguments(args: &Args) -> TokenStream {
    let krate = &args.krate;
    let field = |name: &Ident| {
        let key = key(krate, &name.unraw().to_string());
        let put = put(krate, &quote!(&#name));
        quote!({
            #key
            if let ::core::option::Option::Some(__observe_slot) = &mut __observe_start.field(&__OBSERVE_KEY) #put
        })
    };
    args.captured.iter().map(field).collect()
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
        let key = key(krate, name);
        let put = put(krate, &quote!(&#expr));
        calls.extend(quote!({
            #key
            __observe_call.metadata(&__OBSERVE_KEY, |__observe_slot| #put);
        }));
    }
    calls
}

/// The end of the span, by what the function returned.
pub(super) fn outcome(args: &Args, function: &Function) -> TokenStream {
    let krate = &args.krate;
    if function.returns_unit() {
        return quote!(__observe_call.returned(|_| {}););
    }
    let put = if args.capture_output {
        put(krate, &quote!(__observe_value))
    } else {
        quote!({
            _ = __observe_slot;
        })
    };
    let value = if args.capture_output { quote!(__observe_value) } else { quote!(_) };
    quote! {
        if __observe_call.is_recording() {
            use #krate::__private::{
                ViaDebugError as _, ViaDeref as _, ViaDisplay as _, ViaError as _, ViaNameError as _, ViaPlain as _,
                ViaResult as _,
            };
            match (&&#krate::__private::Fork(&__observe_return)).observe_fork() {
                ::core::result::Result::Ok(#value) => __observe_call.returned(|__observe_slot| #put),
                ::core::result::Result::Err(__observe_error) => __observe_call
                    .failed(&(&&&&&#krate::__private::ProbeError(__observe_error)).observe_text()),
            }
        }
    }
}
