//! The calls that capture values. Each finds its way by the value's type: see `observe_runtime`'s `capture::probe`.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Lifetime, ext::IdentExt};

use super::body;
use crate::{
    function::{Function, Returns},
    resolve::{self, Args, Argument, Input, Output, Redaction},
};

/// The names under which arguments are captured, as the elements of an array.
pub(super) fn names(args: &Args) -> TokenStream {
    let Input::Arguments(arguments) = &args.input else { return TokenStream::new() };
    let name = |Argument { parameter, .. }: &Argument| {
        let (name, cfgs) = (parameter.name.unraw().to_string(), &parameter.cfgs);
        quote!(#(#cfgs)* #name,)
    };
    arguments.iter().map(name).collect()
}

/// The arguments in the order of [`names`], as the elements of an array.
pub(super) fn arguments(args: &Args) -> TokenStream {
    let Input::Arguments(arguments) = &args.input else { return TokenStream::new() };
    let krate = &args.krate;
    let lifetime = Lifetime::new("'__observe", Span::mixed_site());
    let call = |Argument { parameter, redaction }: &Argument| {
        let (name, cfgs) = (&parameter.name, parameter.attributes());
        // What a reference points to: the address of the parameter itself is then never taken, so that it can stay in
        // a register while nothing is recorded.
        let value = if parameter.is_reference() { quote!(&*#name) } else { quote!(&#name) };
        let value = match redaction {
            Redaction::Nothing => match parameter.tied(&lifetime) {
                Some(ty) => {
                    return quote_spanned! {Span::mixed_site()=>
                        #(#cfgs)* #krate::__private::argument_tied::<
                            dyn for<#lifetime> #krate::__private::Family<#lifetime, Of = #ty>, _,
                        >(&#name).observe_argument(),
                    };
                }
                None => value,
            },
            Redaction::Everything => quote!("[redacted]"),
            Redaction::Fields(paths) => {
                let paths = paths.iter().map(|path| path.join("."));
                quote!(&#krate::__private::Redacted(#value, &[#(#paths),*]))
            }
        };
        quote_spanned! {Span::mixed_site()=>
            #(#cfgs)* #krate::__private::probe(#value).observe_argument(),
        }
    };
    arguments.iter().map(call).collect()
}

/// What the attribute's other arguments say of the span once it has begun.
pub(super) fn extras(args: &Args, call: &TokenStream) -> TokenStream {
    let (krate, here) = (&args.krate, Span::mixed_site());
    let name = args.name.as_ref().filter(|name| resolve::literal(name).is_none());
    let mut calls = TokenStream::new();
    if let Input::Expr(expr) = &args.input {
        calls.extend(
            quote_spanned!(here=> #krate::__private::probe(&(#expr)).observe_input(&__observe_call);),
        );
    }
    for (method, expr) in
        [(quote!(name), name), (quote!(model), args.model.as_ref()), (quote!(version), args.version.as_ref())]
    {
        if let Some(expr) = expr {
            calls.extend(quote_spanned!(here=> #call::#method(&__observe_call, #expr);));
        }
    }
    for (name, expr) in &args.metadata {
        calls.extend(
            quote_spanned!(here=> #krate::__private::probe(&(#expr)).observe_metadata(#name, &__observe_call);),
        );
    }
    calls
}

/// The end of the span, by what the function returned.
pub(super) fn outcome(args: &Args, function: &Function, call: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let is_unit = matches!(function.returns(), Returns::Unit);
    if is_unit && !matches!(args.output, Output::Closure(_)) {
        return quote_spanned!(here=> #call::returned_nothing(&mut __observe_call););
    }
    // What the user wrote of the output runs only for a span that is recorded; all else asks for itself.
    let is_recording = match args.output {
        Output::Closure(_) => quote_spanned!(here=> #call::is_recording(&__observe_call)),
        _ => quote_spanned!(here=> #call::is_live(&__observe_call)),
    };
    let result = quote_spanned!(body::exit(function)=> __observe_return.0.0);
    value(args, is_unit, &is_recording, &quote_spanned!(here=> &mut __observe_call), &quote!(return #result;))
}

/// The same by what came out of a future, a stream or an iterator; `__observe_call` is a reference to what records it.
pub(super) fn outcome_of_later(args: &Args) -> TokenStream {
    let (krate, here) = (&args.krate, Span::mixed_site());
    let is_recording = quote_spanned!(here=> #krate::__private::is_recording(&*__observe_call));
    let end = quote_spanned!(here=> return __observe_return.0.0;);
    value(args, false, &is_recording, &quote_spanned!(here=> &mut *__observe_call), &end)
}

/// What is said to `call` of `__observe_return`, and the `end` of the function.
fn value(
    args: &Args,
    is_unit: bool,
    is_recording: &TokenStream,
    call: &TokenStream,
    end: &TokenStream,
) -> TokenStream {
    let (krate, here) = (&args.krate, Span::mixed_site());
    let (parts, fail) = if args.errors_fail && !is_unit {
        let parts = quote_spanned!(here=> __observe_return.observe_parts());
        (parts, quote_spanned!(here=> __observe_parts.1.observe_fail(#call);))
    } else {
        (quote_spanned!(here=> (#krate::__private::probe(&__observe_return.0.0),)), TokenStream::new())
    };
    let output = match &args.output {
        Output::Value => quote_spanned!(here=> __observe_parts.0.observe_output(#call);),
        Output::Nothing => quote_spanned!(here=> __observe_parts.0.observe_unseen(#call);),
        Output::Closure(closure) => {
            let closure = closure.to_token_stream();
            quote_spanned! {here=>
                if let ::core::option::Option::Some(__observe_view) = __observe_parts.0.observe_view(#closure) {
                    #krate::__private::probe(&__observe_view).observe_output(#call);
                }
            }
        }
    };
    quote_spanned! {here=>
        if #is_recording {
            let __observe_return = #krate::__private::returned(__observe_return);
            let __observe_parts = #parts;
            #output
            #fail
            #end
        }
    }
}

/// The end of a span whose future, stream or iterator did not come to be, for `__observe_error`.
pub(super) fn failure(args: &Args) -> TokenStream {
    let (krate, here) = (&args.krate, Span::mixed_site());
    let end = match (args.errors_fail, &args.output) {
        (true, _) => quote_spanned!(here=> problem(__observe_error).observe_fail(&mut *__observe_call)),
        (false, Output::Nothing) => {
            quote_spanned!(here=> probe(__observe_error).observe_unseen(&mut *__observe_call))
        }
        (false, _) => quote_spanned!(here=> probe(__observe_error).observe_output(&mut *__observe_call)),
    };
    quote_spanned! {here=>
        if #krate::__private::is_recording(&*__observe_call) {
            #krate::__private::#end;
        }
    }
}
