//! The function that the attribute stands on: its signature parsed, its body kept as tokens.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::{
    Attribute, FnArg, Ident, Pat, ReturnType, Signature, Visibility,
    ext::IdentExt,
    parse::{Parse, ParseStream},
    parse2,
};

/// A function with its body as tokens.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: TokenStream,
}

/// Why there is nothing to expand.
pub(crate) enum Problem {
    /// It is no Rust yet, as while someone types: the compiler and the editor see it unchanged.
    Unreadable,
    /// It cannot be observed.
    Unfit(syn::Error),
}

/// A function whose body, if it has one, is the last token.
struct Parsed {
    attributes: Vec<Attribute>,
    visibility: Visibility,
    signature: Signature,
    rest: TokenStream,
}

impl Parse for Parsed {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        Ok(Self {
            attributes: input.call(Attribute::parse_outer)?,
            visibility: input.parse()?,
            signature: input.parse()?,
            rest: input.parse()?,
        })
    }
}

pub(crate) fn parse(item: TokenStream) -> Result<Function, Problem> {
    let unfit =
        |tokens: &dyn quote::ToTokens, text: &str| Problem::Unfit(syn::Error::new_spanned(tokens, text));
    let keyword = first_keyword(&item);
    let Ok(parsed) = parse2::<Parsed>(item) else {
        return Err(match keyword {
            Some(word) if word != "fn" => unfit(&word, "#[observe] stands on a function or method"),
            _ => Problem::Unreadable,
        });
    };
    let mut rest = parsed.rest.into_iter();
    let body = match (rest.next(), rest.next()) {
        (Some(TokenTree::Group(group)), None) if group.delimiter() == Delimiter::Brace => group.stream(),
        (Some(TokenTree::Punct(_)), None) => {
            return Err(unfit(
                &parsed.signature.ident,
                "#[observe] needs a function with a body: put it on the implementation",
            ));
        }
        _ => return Err(Problem::Unreadable),
    };
    if let Some(constness) = &parsed.signature.constness {
        let text = "#[observe] cannot stand on a `const fn`: what runs at compile time cannot be recorded";
        return Err(unfit(constness, text));
    }
    Ok(Function {
        attributes: parsed.attributes,
        visibility: parsed.visibility,
        signature: parsed.signature,
        body,
    })
}

/// The word that says what kind of item this is.
fn first_keyword(item: &TokenStream) -> Option<Ident> {
    const ITEMS: [&str; 12] = [
        "fn",
        "struct",
        "enum",
        "union",
        "trait",
        "impl",
        "mod",
        "type",
        "static",
        "use",
        "macro_rules",
        "let",
    ];
    item.clone().into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) if ITEMS.iter().any(|word| ident == word) => Some(ident),
        _ => None,
    })
}

impl Function {
    /// The names that the parameters bind, in order; not `self`.
    pub(crate) fn parameters(&self) -> Vec<Ident> {
        let mut names = Vec::new();
        for input in &self.signature.inputs {
            if let FnArg::Typed(typed) = input {
                bound(&typed.pat, &mut names);
            }
        }
        names
    }

    /// Its name as a reader knows it.
    pub(crate) fn name(&self) -> String {
        self.signature.ident.unraw().to_string()
    }

    /// The return type, where it can be repeated inside the function: `impl Trait` cannot.
    pub(crate) fn repeatable_return(&self) -> Option<&syn::Type> {
        let ReturnType::Type(_, ty) = &self.signature.output else { return None };
        (!mentions_impl(quote::quote!(#ty))).then_some(ty)
    }

    /// Whether it returns `()` and says so, or says nothing.
    pub(crate) fn returns_unit(&self) -> bool {
        match &self.signature.output {
            ReturnType::Default => true,
            ReturnType::Type(_, ty) => matches!(&**ty, syn::Type::Tuple(tuple) if tuple.elems.is_empty()),
        }
    }
}

fn mentions_impl(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == "impl",
        TokenTree::Group(group) => mentions_impl(group.stream()),
        _ => false,
    })
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
