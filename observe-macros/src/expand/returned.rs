//! What a function returns, as far as its signature tells: whether something may still come out of it. Whether it does
//! is for the compiler to say, by the value's type; here is only decided where to ask.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{
    AssocType, GenericArgument, Ident, PathArguments, PathSegment, ReturnType, Token, Type, TypeParamBound,
    TypePath, punctuated::Punctuated,
};

use super::{body, capture};
use crate::{
    function::Function,
    resolve::{Args, Output},
};

/// Traits that the observed value has if the returned one has them.
const KEPT: [&str; 9] = [
    "Clone",
    "Debug",
    "FusedIterator",
    "FusedStream",
    "RefUnwindSafe",
    "Send",
    "Sized",
    "Sync",
    "UnwindSafe",
];

/// Parts of names that types of boxed futures, streams and iterators are given.
const HINTS: [&str; 5] = ["boxed", "fut", "iter", "stream", "task"];

/// A returned value that something may still come out of.
pub(super) struct Later {
    /// The runtime's name for how it is recognised.
    kind: &'static str,
    /// The runtime's name for what it lies in.
    within: Option<&'static str>,
    /// What comes out, where the signature says so.
    value: Option<Type>,
    /// The same of what comes out of a future.
    then: Option<Box<Later>>,
}

impl Later {
    /// What the function's signature promises.
    pub(super) fn of(args: &Args, function: &Function) -> Option<Self> {
        let ty = return_type(function)?;
        if args.stream.is_some() { look(ty, function).or_else(|| insist(ty)) } else { look(ty, function) }
    }

    /// Whether the observed value is of another type than the returned one.
    pub(super) fn is_opaque(&self) -> bool {
        self.kind != "AsBoxed" || self.then.as_ref().is_some_and(|then| then.is_opaque())
    }

    fn boxed(value: Option<Type>, then: Option<Later>) -> Self {
        Self { kind: "AsBoxed", within: None, value, then: then.map(Box::new) }
    }
}

/// The body of a function that ends with `Box::pin(async { .. })` and does not leave before, where that is what it says
/// it returns: the block is observed inside its box.
pub(super) fn in_its_box(args: &Args, function: &Function, later: &Later) -> Option<TokenStream> {
    let (value, Some(Type::Path(path))) = (later.value.as_ref()?, return_type(function)) else { return None };
    let is_future = later.kind == "AsBoxed" && object(path.path.segments.last()?).is_some_and(is_future);
    let mut tokens: Vec<_> = function.body.stream().into_iter().collect();
    let Some(TokenTree::Group(boxed)) = tokens.pop() else { return None };
    let block: Vec<_> = boxed.stream().into_iter().collect();
    let is_block = match block.as_slice() {
        [TokenTree::Ident(first), .., TokenTree::Group(_)] => first == "async" && block.len() <= 3,
        _ => false,
    };
    let is_boxed = match tokens.as_slice() {
        [.., TokenTree::Ident(boxing), TokenTree::Punct(_), TokenTree::Punct(_), TokenTree::Ident(pin)] => {
            boxing == "Box" && pin == "pin"
        }
        _ => false,
    };
    if !(is_future && is_boxed && is_block) || body::leaves_early(tokens.iter().cloned().collect()) {
        return None;
    }
    let then = look(value, function).map(Box::new);
    let inside = Later { kind: "AsFuture", within: None, value: Some(value.clone()), then };
    let here = Span::mixed_site();
    let finish = finish_later(args, &inside, &quote_spanned!(here=> &mut __observe_call));
    let block: TokenStream = block.into_iter().collect();
    let observed = quote_spanned!(here=> ({ let __observe_return = #block; #finish }));
    tokens.extend(observed);
    let tokens: TokenStream = tokens.into_iter().collect();
    Some(body::braces(function, quote_spanned!(here=> {} #tokens)).into_token_stream())
}

fn return_type(function: &Function) -> Option<&Type> {
    match &function.signature.output {
        ReturnType::Type(_, ty) => Some(ty),
        ReturnType::Default => None,
    }
}

/// The end of the call, whose value is `__observe_return`, and what the function returns.
pub(super) fn finish(
    args: &Args,
    function: &Function,
    later: Option<&Later>,
    call: &TokenStream,
) -> TokenStream {
    let here = Span::mixed_site();
    match later {
        Some(later) => finish_later(args, later, &quote_spanned!(here=> &mut __observe_call)),
        None => {
            let outcome = capture::outcome(args, function, call);
            let result = quote_spanned!(body::exit(function)=> __observe_return);
            quote_spanned!(here=> #outcome #result)
        }
    }
}

/// The same for what something may still come out of; `call` is a `&mut` to the call.
fn finish_later(args: &Args, later: &Later, call: &TokenStream) -> TokenStream {
    let (krate, here) = (&args.krate, Span::mixed_site());
    let kind = format_ident!("{}", later.kind);
    let mut kind = quote!(#krate::__private::#kind);
    if let Some(within) = later.within {
        let within = format_ident!("{within}");
        kind = quote!(#krate::__private::#within<#kind>);
    }
    let then = match &later.then {
        Some(then) => finish_later(args, then, &quote_spanned!(here=> &mut *__observe_call)),
        None => {
            let outcome = capture::outcome_of_later(args);
            quote_spanned!(here=> #outcome __observe_return)
        }
    };
    let then = quote_spanned!(here=> |__observe_call, __observe_return| { #then });
    let expecting = later.value.as_ref().map(|value| quote_spanned!(here=> .observe_expecting::<#value>()));
    let finish = if later.within == Some("InResult") {
        let failure = capture::failure(args);
        let failure = quote_spanned!(here=> |__observe_call, __observe_error| { #failure });
        quote_spanned!(here=> observe_finish_result(#call, #then, #failure))
    } else {
        quote_spanned!(here=> observe_finish(#call, #then))
    };
    let capture = !matches!(args.output, Output::Nothing);
    let insist = args.stream.map(|at| {
        quote_spanned!(here.located_at(at)=> let __observe_return = #krate::__private::insist::<#kind, _>(__observe_return);)
    });
    quote_spanned! {here=> {
        use #krate::__private::Now as _;
        #insist
        #krate::__private::Later::<#kind, _>::new(__observe_return, #capture)#expecting.#finish
    }}
}

/// The return type as it can be repeated inside the function, with `_` for what cannot.
pub(super) fn repeatable(function: &Function) -> Option<Type> {
    Some(erased(return_type(function)?))
        .filter(|ty| !matches!(ty, Type::Infer(_)) && !mentions(ty, &|name| name == "impl"))
}

/// The type with `_` for each `impl Trait`.
fn erased(ty: &Type) -> Type {
    fn erase(ty: &mut Type) {
        match ty {
            Type::ImplTrait(_) => *ty = Type::Infer(syn::parse_quote!(_)),
            Type::Path(path) => {
                for segment in &mut path.path.segments {
                    if let PathArguments::AngleBracketed(arguments) = &mut segment.arguments {
                        for argument in &mut arguments.args {
                            match argument {
                                GenericArgument::Type(ty) => erase(ty),
                                GenericArgument::AssocType(AssocType { ty, .. }) => erase(ty),
                                _ => {}
                            }
                        }
                    }
                }
            }
            Type::Array(array) => erase(&mut array.elem),
            Type::Group(group) => erase(&mut group.elem),
            Type::Paren(paren) => erase(&mut paren.elem),
            Type::Reference(reference) => erase(&mut reference.elem),
            Type::Slice(slice) => erase(&mut slice.elem),
            Type::Tuple(tuple) => tuple.elems.iter_mut().for_each(erase),
            _ => {}
        }
    }
    let mut ty = ty.clone();
    erase(&mut ty);
    ty
}

/// A stream or iterator, because the attribute says so: the compiler complains where it is none.
fn insist(ty: &Type) -> Option<Later> {
    let is_named = |word: &str| mentions(ty, &|name| name.to_string().to_lowercase().contains(word));
    match ty {
        Type::ImplTrait(_) => {
            let kind = if is_named("iter") { "AsIterator" } else { "AsStream" };
            Some(Later { kind, ..Later::boxed(None, None) })
        }
        _ => Some(Later::boxed(None, None)),
    }
}

/// What a value of this type may still give.
fn look(ty: &Type, function: &Function) -> Option<Later> {
    match ty {
        Type::Group(group) => look(&group.elem, function),
        Type::Paren(paren) => look(&paren.elem, function),
        Type::ImplTrait(opaque) => {
            let (kind, value) = family(&opaque.bounds, true)?;
            let then = value.filter(|_| kind == "AsFuture").and_then(|value| look(value, function));
            let value = value.map(erased);
            Some(Later { kind, within: None, value, then: then.map(Box::new) })
        }
        Type::Path(path) => look_by_name(path, function),
        _ => None,
    }
}

fn look_by_name(path: &TypePath, function: &Function) -> Option<Later> {
    let segment = path.path.segments.last().filter(|_| path.qself.is_none())?;
    let name = segment.ident.to_string().to_lowercase();
    let within = |within, ty| {
        look(ty, function)
            .filter(|later| later.within.is_none())
            .map(|later| Later { within: Some(within), ..later })
    };
    if name == "option" {
        return within("InOption", types(segment).next()?);
    }
    if name.contains("result")
        && let Some(later) = types(segment).next().and_then(|ty| within("InResult", ty))
    {
        return Some(later);
    }
    if ["box", "pin"].contains(&&*name) {
        let (kind, value) = family(&object(segment)?.bounds, false)?;
        let then = value.filter(|_| kind == "AsFuture").and_then(|value| look(value, function));
        return Some(Later::boxed(value.cloned(), then));
    }
    if !HINTS.iter().any(|hint| name.contains(hint)) && !boxes(function) {
        return None;
    }
    let then = types(segment).last().filter(|_| name.contains("fut")).and_then(|ty| look(ty, function));
    let within = name.contains("result").then_some("InResult");
    Some(Later { within, ..Later::boxed(None, then) })
}

/// The types among a segment's generic arguments.
fn types(segment: &PathSegment) -> impl DoubleEndedIterator<Item = &Type> {
    let arguments = match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => Some(&arguments.args),
        _ => None,
    };
    arguments.into_iter().flatten().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

/// The trait object in a `Box` or a `Pin<Box>`.
fn object(segment: &PathSegment) -> Option<&syn::TypeTraitObject> {
    match types(segment).next()? {
        Type::TraitObject(object) => Some(object),
        Type::Path(path) => object(path.path.segments.last().filter(|inner| inner.ident == "Box")?),
        _ => None,
    }
}

/// Which of the traits is among the bounds, with what comes out. Not if there is one that the observed value would lack.
fn family(
    bounds: &Punctuated<TypeParamBound, Token![+]>,
    is_opaque: bool,
) -> Option<(&'static str, Option<&Type>)> {
    let mut found = None;
    for bound in bounds {
        let TypeParamBound::Trait(bound) = bound else { continue };
        let segment = bound.path.segments.last()?;
        let (kind, output) = match segment.ident.to_string().as_str() {
            "Future" => ("AsFuture", "Output"),
            "Stream" => ("AsStream", "Item"),
            "Iterator" | "DoubleEndedIterator" | "ExactSizeIterator" => ("AsIterator", "Item"),
            "Unpin" => continue,
            name if !is_opaque || KEPT.contains(&name) => continue,
            _ => return None,
        };
        let value = match &segment.arguments {
            PathArguments::AngleBracketed(arguments) => {
                arguments.args.iter().find_map(|argument| match argument {
                    GenericArgument::AssocType(assoc) if assoc.ident == output => Some(&assoc.ty),
                    _ => None,
                })
            }
            _ => None,
        };
        found = Some((kind, found.and_then(|(_, value)| value).or(value)));
    }
    found
}

/// Whether it is a future.
fn is_future(object: &syn::TypeTraitObject) -> bool {
    family(&object.bounds, false).is_some_and(|(kind, _)| kind == "AsFuture")
}

/// Whether the body, at its top, boxes something.
fn boxes(function: &Function) -> bool {
    function.body.stream().into_iter().any(|token| match token {
        TokenTree::Ident(name) => ["Box", "boxed", "boxed_local"].iter().any(|word| name == word),
        _ => false,
    })
}

pub(super) fn mentions(tokens: &impl ToTokens, is_it: &dyn Fn(&Ident) -> bool) -> bool {
    fn any(tokens: TokenStream, is_it: &dyn Fn(&Ident) -> bool) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(name) => is_it(&name),
            TokenTree::Group(group) => any(group.stream(), is_it),
            _ => false,
        })
    }
    any(tokens.to_token_stream(), is_it)
}
