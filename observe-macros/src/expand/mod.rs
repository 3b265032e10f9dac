//! The function anew: what it did, with a span around it.
//!
//! What is written here has names of its own, which those of the function cannot meet, and calls nothing by method syntax
//! that a trait of the user's could answer.

mod body;
mod capture;
mod items;
mod returned;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};

use self::returned::Later;
use crate::{
    attributes,
    function::{Function, Returns},
    resolve::{self, Args},
};

/// The function with its body inside a span.
pub(crate) fn expand(args: &Args, function: &Function) -> TokenStream {
    let mut function = function.clone();
    let attributes = attributes::of(&mut function);
    let (krate, here) = (&args.krate, Span::mixed_site());
    let is_async = function.signature.asyncness.is_some();
    let call = match is_async {
        true => quote!(#krate::__private::polled),
        false => quote!(#krate::__private::sync),
    };
    let mut extras = capture::extras(args, &call);
    if is_async && !extras.is_empty() {
        // The span is in force here: nothing may wait.
        extras = quote_spanned!(here=> (|| { #extras })(););
    }
    let begin = begin(args, &function, &call);
    let begin = match extras.is_empty() {
        true => quote_spanned!(here=> #begin;),
        false => quote_spanned!(here=> if #begin { #extras }),
    };
    // What the attribute's arguments say is evaluated only where that is known to be wanted.
    let is_on = if place(args).is_empty() { quote!(may_be_on) } else { quote!(is_on) };
    let mut begin = quote_spanned!(here=> if #krate::__private::#is_on() { #begin });
    let run = match is_async {
        true => {
            function.name_the_unnamed();
            begin = body::unborrowed(&mut function, begin);
            run_async(args, &mut function, &call)
        }
        false => run_sync(args, &mut function, &call),
    };
    let Function { visibility, defaultness, signature, .. } = &function;
    quote_spanned! {here=>
        #attributes
        #visibility #defaultness #signature {
            let mut __observe_call = #call::new();
            #begin
            #run
        }
    }
}

/// The body of a function that runs to its end on one thread, and the end of its span.
fn run_sync(args: &Args, function: &mut Function, call: &TokenStream) -> TokenStream {
    let (krate, here) = (&args.krate, Span::mixed_site());
    if is_endless(function) {
        return body::alone(function).into_token_stream();
    }
    let later = Later::of(args, function);
    if let Some(body) = later.as_ref().and_then(|later| returned::in_its_box(args, function, later)) {
        return body;
    }
    let (stays, leaves) = (function.must_stay(), body::leaves_early(function.body.stream()));
    if stays || !leaves {
        let unseen = stays && (leaves || later.is_none());
        return run_in_place(args, function, later.as_ref(), call, unseen);
    }
    function.name_the_unnamed();
    let items = items::take(function);
    let finish = returned::finish(args, function, later.as_ref(), call);
    let body::Typed { before, arrow, first } = body::typed(function, later.as_ref(), krate);
    let exit = body::exit(function);
    let body = body::block(function, &first);
    if let Returns::Never = function.returns() {
        return quote_spanned!(here=> #items #krate::__private::once(move || #arrow #body)());
    }
    // The early return is what makes a call cheap that is not observed: its path needs nothing of the other's.
    let result = quote_spanned!(exit=> __observe_body());
    let early = quote_spanned! {here=>
        if !#call::is_live(&__observe_call) {
            return #result;
        }
    };
    let early = if later.is_some_and(|later| later.is_opaque()) { TokenStream::new() } else { early };
    quote_spanned! {here=>
        #before
        let __observe_body = { #items #krate::__private::once(move || #arrow #body) };
        #early
        let __observe_return = __observe_body();
        #finish
    }
}

/// The same without a closure, which would be a quarter of what the function costs to compile. What nobody can name is
/// `unseen` where the compiler must take it from nothing but the body.
fn run_in_place(
    args: &Args,
    function: &Function,
    later: Option<&Later>,
    call: &TokenStream,
    unseen: bool,
) -> TokenStream {
    let (krate, here, body) = (&args.krate, Span::mixed_site(), &function.body);
    let run = match function.returns() {
        Returns::Never => return body::alone(function).into_token_stream(),
        Returns::Hidden if unseen => return body::alone(function).into_token_stream(),
        Returns::Hidden if later.is_some_and(Later::is_opaque) => {
            let ty = returned::repeatable(function).map(|ty| quote!(: #ty));
            quote_spanned!(here=> let __observe_return #ty = #body;)
        }
        Returns::Hidden => {
            let before = body::typed(function, later, krate).before;
            quote_spanned!(here=> #before let __observe_return = #krate::__private::Same::is(__observe_same, #body);)
        }
        Returns::Unit => quote_spanned!(here=> let __observe_return: () = #body;),
        Returns::Named(ty) => quote_spanned!(here=> let __observe_return: #ty = #body;),
    };
    let finish = returned::finish(args, function, later, call);
    // A body that never ends, as `match never {}`, makes what follows unreachable. The compiler says so of one statement
    // only: of this one, which is allowed to be.
    quote_spanned!(here=> #run #[allow(unreachable_code)] {} #finish)
}

/// The same for a function that is polled.
fn run_async(args: &Args, function: &mut Function, call: &TokenStream) -> TokenStream {
    let (krate, here) = (&args.krate, Span::mixed_site());
    let is_endless = is_endless(function);
    let items = items::take(function);
    let later = Later::of(args, function);
    let body::Typed { before, first, .. } = body::typed(function, later.as_ref(), krate);
    let body = body::block(function, &first);
    let body = match items.is_empty() {
        true => quote_spanned!(here=> async move #body),
        false => quote_spanned!(here=> { #items async move #body }),
    };
    if is_endless || matches!(function.returns(), Returns::Never) {
        return quote_spanned!(here=> #before #call::run(&mut __observe_call, #body).await);
    }
    let finish = returned::finish(args, function, later.as_ref(), call);
    // Said once more from outside, so that the lifetimes of what the body returns are those of the function.
    let of = match function.returns() {
        Returns::Named(ty) => quote_spanned!(here=> ::<#ty, _>),
        _ => TokenStream::new(),
    };
    quote_spanned! {here=>
        #before
        let __observe_return = #call::run #of(&mut __observe_call, #body).await;
        #finish
    }
}

/// Whether it never returns what it says it does, a type that nobody can name.
fn is_endless(function: &Function) -> bool {
    matches!(function.returns(), Returns::Hidden) && body::never_ends(&function.body.stream())
}

/// The static that describes the function.
fn site(args: &Args, function: &Function) -> TokenStream {
    let krate = &args.krate;
    let span_type =
        args.span_type.iter().map(|variant| quote!(.as_type(#krate::__private::SpanType::#variant)));
    let level = args.level.iter().map(|variant| quote!(.level(#krate::__private::Level::#variant)));
    let own_name = function.name();
    let names = capture::names(args);
    let name = args.name.as_ref().and_then(resolve::literal).unwrap_or_else(|| own_name.clone());
    let path = match &function.owner {
        Some(owner) => format!("::{owner}::{own_name}"),
        None => format!("::{own_name}"),
    };
    quote_spanned! {Span::mixed_site()=>
        static __OBSERVE_SITE: #krate::__private::Site = #krate::__private::Site::new(
            #name,
            ::core::module_path!(),
            #path,
            &[#names],
        )#(#span_type)*#(#level)*;
    }
}

/// Begins the span; whether it is recorded.
fn begin(args: &Args, function: &Function, call: &TokenStream) -> TokenStream {
    let (krate, here, site) = (&args.krate, Span::mixed_site(), site(args, function));
    let arguments = capture::arguments(args);
    let at = quote_spanned!(here=> &mut __observe_call, { #site &__OBSERVE_SITE });
    let place = place(args);
    if place.is_empty() {
        quote_spanned!(here=> #call::begin(#at, &[#arguments]))
    } else {
        quote_spanned!(here=> #call::begin_at(#at, &#krate::__private::Place::new() #place, &[#arguments]))
    }
}

/// What the attribute's arguments say of where the span belongs.
fn place(args: &Args) -> TokenStream {
    let here = Span::mixed_site();
    let mut place = TokenStream::new();
    for (method, expr) in [
        (quote!(trace_id), &args.trace_id),
        (quote!(parent), &args.parent),
        (quote!(session), &args.session),
        (quote!(user), &args.user),
    ] {
        if let Some(expr) = expr {
            place.extend(quote_spanned!(here=> .#method(#expr)));
        }
    }
    place.extend(args.tags.iter().map(|tag| quote_spanned!(here=> .tag(#tag))));
    place
}
