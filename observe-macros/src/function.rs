//! The function that the attribute stands on: its signature parsed, its body kept as tokens.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    Attribute, FnArg, Ident, Lifetime, Pat, PatIdent, PatType, Receiver, ReceiverKind, ReturnType, Signature,
    Token, Type, Visibility, ext::IdentExt, parse::ParseStream, parse_quote,
};

/// A function with its body as tokens.
#[derive(Clone)]
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    /// `default`, where a specialised implementation says so.
    pub(crate) defaultness: Option<Ident>,
    pub(crate) signature: Signature,
    /// With its braces, whose place says which edition's rules hold inside.
    pub(crate) body: Group,
    /// The type or trait whose function it is, if that is known.
    pub(crate) owner: Option<String>,
}

/// Something that the parameters bind.
pub(crate) struct Parameter {
    pub(crate) name: Ident,
    /// The `#[cfg(..)]`s of its parameter.
    pub(crate) cfgs: Vec<Attribute>,
    /// Its type, if it is the whole parameter.
    pub(crate) ty: Option<Type>,
}

/// What stands where a function is looked for.
pub(crate) enum Declared {
    Function(Box<Function>),
    /// It cannot be observed, and why.
    Unfit(TokenStream, syn::Error),
}

/// Reads one function. An error means that it is no Rust yet, as while someone types.
pub(crate) fn read(input: ParseStream<'_>) -> syn::Result<Declared> {
    let attributes = input.call(Attribute::parse_outer)?;
    let visibility: Visibility = input.parse()?;
    let defaultness = match input.peek(Token![default]) {
        true => Some(input.call(Ident::parse_any)?),
        false => None,
    };
    let signature: Signature = input.parse()?;
    // A macro's `$body:block` comes in a group.
    let end: TokenTree = input.parse()?;
    let end = ungrouped(end.clone().into()).into_iter().next().unwrap_or(end);
    let problem = match &end {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => problem(&attributes, &signature),
        TokenTree::Punct(punct) if punct.as_char() == ';' => {
            let text = "#[observe] needs a function with a body: put it on the implementation";
            Some(syn::Error::new_spanned(&signature.ident, text))
        }
        _ => return Err(input.error("expected a function's body")),
    };
    Ok(match (problem, end) {
        (None, TokenTree::Group(body)) => {
            let owner = None;
            Declared::Function(Box::new(Function {
                attributes,
                visibility,
                defaultness,
                signature,
                body,
                owner,
            }))
        }
        (problem, end) => {
            let tokens = quote!(#(#attributes)* #visibility #defaultness #signature #end);
            Declared::Unfit(tokens, problem.unwrap_or_else(|| input.error("expected a function's body")))
        }
    })
}

/// Why a function with a body cannot be observed, if it cannot.
fn problem(attributes: &[Attribute], signature: &Signature) -> Option<syn::Error> {
    if let Some(constness) = &signature.constness {
        let text = "#[observe] cannot stand on a `const fn`: what runs at compile time cannot be recorded";
        return Some(syn::Error::new_spanned(constness, text));
    }
    let naked = attributes.iter().find(|attribute| is_naked(attribute))?;
    let text = "#[observe] cannot stand on a naked function: it has room for nothing else";
    Some(syn::Error::new_spanned(naked, text))
}

/// `#[naked]` or `#[unsafe(naked)]`
fn is_naked(attribute: &Attribute) -> bool {
    match &attribute.meta {
        syn::Meta::Path(path) => path.is_ident("naked"),
        syn::Meta::List(list) => list.path.is_ident("unsafe") && list.tokens.to_string() == "naked",
        syn::Meta::NameValue(_) => false,
    }
}

/// `#[track_caller]`, also in a `#[cfg_attr(..)]`, of which nobody here knows whether it holds.
fn tracks_caller(attribute: &Attribute) -> bool {
    let is_it = |tokens: TokenStream| mentions(tokens, &["track_caller"]);
    match &attribute.meta {
        syn::Meta::Path(path) => path.is_ident("track_caller"),
        syn::Meta::List(list) => list.path.is_ident("cfg_attr") && is_it(list.tokens.clone()),
        syn::Meta::NameValue(_) => false,
    }
}

/// Tokens without the invisible group that a `macro_rules!` macro puts around what it was given.
pub(crate) fn ungrouped(tokens: TokenStream) -> TokenStream {
    let mut inner = tokens.clone().into_iter();
    match (inner.next(), inner.next()) {
        (Some(TokenTree::Group(group)), None) if group.delimiter() == Delimiter::None => {
            ungrouped(group.stream())
        }
        _ => tokens,
    }
}

/// The group with something else in it.
pub(crate) fn with_content(group: &Group, content: TokenStream) -> Group {
    let mut new = Group::new(group.delimiter(), content);
    new.set_span(group.span());
    new
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { attributes, visibility, defaultness, signature, body, owner: _ } = self;
        tokens.extend(quote!(#(#attributes)* #visibility #defaultness #signature #body));
    }
}

impl Function {
    /// What the parameters bind, in order; not `self`.
    pub(crate) fn parameters(&self) -> Vec<Parameter> {
        let typed = self.signature.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(typed) => Some(typed),
            FnArg::Receiver(_) => None,
        });
        typed.flat_map(parameters_of).collect()
    }

    /// Its name as a reader knows it.
    pub(crate) fn name(&self) -> String {
        self.signature.ident.unraw().to_string()
    }

    /// What it returns.
    pub(crate) fn returns(&self) -> Returns<'_> {
        match &self.signature.output {
            ReturnType::Default => Returns::Unit,
            ReturnType::Type(_, ty) => match &**ty {
                Type::Tuple(tuple) if tuple.elems.is_empty() => Returns::Unit,
                Type::Never(_) => Returns::Never,
                ty if mentions(quote!(#ty), &["impl"]) => Returns::Hidden,
                ty => Returns::Named(ty),
            },
        }
    }

    /// Whether the body of a function that is not `async` must stay its own, not that of a closure: for the place of its
    /// caller that it asks for, or for a closure that it returns, whose signature the compiler takes from nothing but the
    /// return type. If it leaves early, what it returns is then not seen.
    pub(crate) fn must_stay(&self) -> bool {
        let output = &self.signature.output;
        let returns_closure = || {
            matches!(self.returns(), Returns::Hidden) && mentions(quote!(#output), &["Fn", "FnMut", "FnOnce"])
        };
        self.attributes.iter().any(tracks_caller) || self.indexes() || returns_closure()
    }

    /// Whether it has the form of `Index::index` and `IndexMut::index_mut`, of which the standard library says
    /// `#[track_caller]` for every implementation.
    fn indexes(&self) -> bool {
        let Signature { ident, inputs, output, .. } = &self.signature;
        (ident == "index" || ident == "index_mut")
            && matches!(self.visibility, Visibility::Inherited)
            && matches!(inputs.first(), Some(FnArg::Receiver(_)))
            && inputs.len() == 2
            && matches!(output, ReturnType::Type(_, ty) if matches!(**ty, Type::Reference(_)))
    }

    /// The bindings that may have something to drop, in the order of the parameters.
    pub(crate) fn owned(&self) -> Vec<Parameter> {
        let mut owned = Vec::new();
        for input in &self.signature.inputs {
            match input {
                FnArg::Receiver(receiver) if owns(receiver) => {
                    let name = Ident::new("self", receiver.self_token.span);
                    owned.push(Parameter { name, cfgs: cfgs(&receiver.attrs), ty: None });
                }
                FnArg::Typed(typed) if !is_plain(&typed.ty) => owned.extend(parameters_of(typed)),
                _ => {}
            }
        }
        owned
    }

    /// Takes the `mut` of all bindings away that may be large, `self` aside; gives these bindings with it. None if there is a
    /// `#[cfg(..)]` among them.
    pub(crate) fn take_mut(&mut self) -> Vec<(Option<Token![mut]>, Ident)> {
        let (mut bindings, mut taken) = (Vec::new(), Vec::new());
        if self.parameters().iter().any(|parameter| !parameter.cfgs.is_empty()) {
            return Vec::new();
        }
        for input in &mut self.signature.inputs {
            if let FnArg::Typed(typed) = input
                && !is_small(&typed.ty)
            {
                bindings.extend(parameters_of(typed));
                take_mut(&mut typed.pat, &mut taken);
            }
        }
        let with_mut = |parameter: Parameter| {
            let mutability = taken.iter().find(|(_, name)| *name == parameter.name).map(|(it, _)| *it);
            (mutability, parameter.name)
        };
        bindings.into_iter().map(with_mut).collect()
    }

    /// Names the parameters that are `_` and have something to drop, so that the body can hold them like the others.
    pub(crate) fn name_the_unnamed(&mut self) {
        for (at, input) in self.signature.inputs.iter_mut().enumerate() {
            if let FnArg::Typed(typed) = input
                && let Pat::Wild(wild) = &*typed.pat
                && !is_plain(&typed.ty)
            {
                let name = Ident::new(&format!("__observe_unnamed_{at}"), Span::mixed_site());
                let attrs = wild.attrs.clone();
                let (by_ref, mutability, subpat) = (None, None, None);
                *typed.pat = Pat::Ident(PatIdent { attrs, by_ref, mutability, ident: name, subpat });
            }
        }
    }
}

/// What a function returns.
pub(crate) enum Returns<'a> {
    /// `()`
    Unit,
    /// `!`
    Never,
    /// A type that can be repeated inside the function.
    Named(&'a Type),
    /// One that cannot, for it has `impl Trait` in it.
    Hidden,
}

fn owns(receiver: &Receiver) -> bool {
    match &receiver.kind {
        ReceiverKind::Reference(..) => false,
        ReceiverKind::Typed(_, ty) => !is_plain(ty),
        _ => true,
    }
}

/// Whether a type is seen to have nothing to drop.
fn is_plain(ty: &Type) -> bool {
    match ty {
        Type::Array(array) => is_plain(&array.elem),
        Type::Tuple(tuple) => tuple.elems.iter().all(is_plain),
        ty => is_small(ty),
    }
}

/// Whether a type is seen to be a word or two.
fn is_small(ty: &Type) -> bool {
    const NUMBERS: [&str; 17] = [
        "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64",
        "u128", "usize", "str",
    ];
    match ty {
        Type::Reference(_) | Type::Ptr(_) | Type::FnPtr(_) | Type::Never(_) => true,
        Type::Group(group) => is_small(&group.elem),
        Type::Paren(paren) => is_small(&paren.elem),
        Type::Path(path) => {
            path.path.get_ident().is_some_and(|word| NUMBERS.iter().any(|number| word == number))
        }
        _ => false,
    }
}

fn cfgs(attributes: &[Attribute]) -> Vec<Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).cloned().collect()
}

fn parameters_of(typed: &PatType) -> impl Iterator<Item = Parameter> {
    let mut names = Vec::new();
    bound(&typed.pat, &mut names);
    let cfgs = cfgs(&typed.attrs);
    let ty =
        matches!(&*typed.pat, Pat::Ident(pattern) if pattern.by_ref.is_none()).then(|| (*typed.ty).clone());
    names.into_iter().map(move |name| Parameter { name, cfgs: cfgs.clone(), ty: ty.clone() })
}

impl Parameter {
    /// What stands before a statement that uses it.
    pub(crate) fn attributes(&self) -> Vec<Attribute> {
        let mut attributes = self.cfgs.clone();
        if self.name.to_string().starts_with('_') {
            attributes.push(parse_quote!(#[allow(clippy::used_underscore_binding)]));
        }
        attributes
    }

    /// Whether it is a reference.
    pub(crate) fn is_reference(&self) -> bool {
        matches!(self.ty, Some(Type::Reference(_)))
    }

    /// Its type with every lifetime that it names replaced by `lifetime`, if it names one within a path, as `View<'a>`.
    pub(crate) fn tied(&self, lifetime: &Lifetime) -> Option<TokenStream> {
        let ty = self.ty.as_ref()?.to_token_stream();
        let nameable = !mentions(ty.clone(), &["impl", "for"]);
        (nameable && names_lifetime(&ty)).then(|| with_lifetime(ty, lifetime))
    }
}

/// Whether a lifetime stands in angle brackets, as in `View<'a>`.
fn names_lifetime(tokens: &TokenStream) -> bool {
    let (mut after_bracket, mut in_brackets) = (false, false);
    let mut tokens = tokens.clone().into_iter().peekable();
    while let Some(token) = tokens.next() {
        match &token {
            TokenTree::Punct(sign) if sign.as_char() == '\'' => {
                let is_static = matches!(tokens.peek(), Some(TokenTree::Ident(name)) if name == "static");
                if in_brackets && after_bracket && !is_static {
                    return true;
                }
            }
            TokenTree::Group(group) if names_lifetime(&group.stream()) => return true,
            _ => {}
        }
        after_bracket = matches!(&token, TokenTree::Punct(sign) if matches!(sign.as_char(), '<' | ','));
        in_brackets |= after_bracket;
    }
    false
}

fn with_lifetime(tokens: TokenStream, lifetime: &Lifetime) -> TokenStream {
    let mut replaced = TokenStream::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let is_static = matches!(tokens.peek(), Some(TokenTree::Ident(name)) if name == "static");
        match token {
            TokenTree::Punct(sign) if sign.as_char() == '\'' && !is_static => {
                tokens.next();
                lifetime.to_tokens(&mut replaced);
            }
            TokenTree::Group(group) => {
                let new = with_content(&group, with_lifetime(group.stream(), lifetime));
                replaced.extend([TokenTree::Group(new)]);
            }
            token => replaced.extend([token]),
        }
    }
    replaced
}

fn mentions(tokens: TokenStream, words: &[&str]) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => words.iter().any(|word| ident == word),
        TokenTree::Group(group) => mentions(group.stream(), words),
        _ => false,
    })
}

fn take_mut(pattern: &mut Pat, taken: &mut Vec<(Token![mut], Ident)>) {
    match pattern {
        Pat::Ident(p) => {
            if p.by_ref.is_none()
                && let Some(mutability) = p.mutability.take()
            {
                taken.push((mutability, p.ident.clone()));
            }
            if let Some((_, inner)) = &mut p.subpat {
                take_mut(inner, taken);
            }
        }
        Pat::Paren(p) => take_mut(&mut p.pat, taken),
        Pat::Reference(p) => take_mut(&mut p.pat, taken),
        Pat::Slice(p) => p.elems.iter_mut().for_each(|p| take_mut(p, taken)),
        Pat::Struct(p) => p.fields.iter_mut().for_each(|f| take_mut(&mut f.pat, taken)),
        Pat::Tuple(p) => p.elems.iter_mut().for_each(|p| take_mut(p, taken)),
        Pat::TupleStruct(p) => p.elems.iter_mut().for_each(|p| take_mut(p, taken)),
        Pat::Type(p) => take_mut(&mut p.pat, taken),
        _ => {}
    }
}

fn bound(pattern: &Pat, names: &mut Vec<Ident>) {
    match pattern {
        Pat::Ident(p) => {
            names.push(p.ident.clone());
            if let Some((_, inner)) = &p.subpat {
                bound(inner, names);
            }
        }
        Pat::Paren(p) => bound(&p.pat, names),
        Pat::Reference(p) => bound(&p.pat, names),
        Pat::Slice(p) => p.elems.iter().for_each(|p| bound(p, names)),
        Pat::Struct(p) => p.fields.iter().for_each(|f| bound(&f.pat, names)),
        Pat::Tuple(p) => p.elems.iter().for_each(|p| bound(p, names)),
        Pat::TupleStruct(p) => p.elems.iter().for_each(|p| bound(p, names)),
        Pat::Type(p) => bound(&p.pat, names),
        _ => {}
    }
}
