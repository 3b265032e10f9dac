//! The attribute on an `impl` block, a trait or an inline module: every function in it that can be observed.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    Attribute,
    parse::{ParseStream, Parser},
};

use crate::{
    args::{self, Given, Value},
    attributes,
    function::{self, Declared, Function},
    resolve,
};

/// An item of a container.
enum Item {
    Function(Box<Function>),
    Container(Vec<Attribute>, Container),
    /// What is left as it is.
    Other(TokenStream),
}

/// An `impl` block, a trait or a module.
pub(crate) struct Container {
    header: TokenStream,
    braces: Group,
    items: Vec<Item>,
}

/// Reads a container with its attributes.
pub(crate) fn parse(item: TokenStream) -> syn::Result<Container> {
    let read = |input: ParseStream<'_>| {
        let mut attributes = input.call(Attribute::parse_outer)?;
        attributes::expect_nothing(&mut attributes);
        let mut container = container(input)?;
        let header = std::mem::take(&mut container.header);
        container.header = quote!(#(#attributes)* #header);
        Ok(container)
    };
    read.parse2(item)
}

/// Expands every function in it, with `given` as defaults.
pub(crate) fn expand(container: &Container, given: &Given) -> syn::Result<TokenStream> {
    let mut names = Vec::new();
    collect_parameters(container, &mut names);
    for entry in &given.0 {
        if let Value::Places(places) = &entry.value {
            resolve::exist(places, &names)?;
        }
    }
    Ok(write(container, given))
}

fn collect_parameters(container: &Container, names: &mut Vec<String>) {
    for item in &container.items {
        match item {
            Item::Function(function) => {
                names.extend(function.parameters().iter().map(|parameter| parameter.name.to_string()));
            }
            Item::Container(_, inner) => collect_parameters(inner, names),
            Item::Other(_) => {}
        }
    }
}

fn write(container: &Container, given: &Given) -> TokenStream {
    let mut content = TokenStream::new();
    for item in &container.items {
        content.extend(match item {
            Item::Other(tokens) => tokens.clone(),
            Item::Function(function) => write_function(function, given),
            Item::Container(attributes, inner) => write_inner(attributes, inner, given),
        });
    }
    let braces = function::with_content(&container.braces, content);
    let header = &container.header;
    quote!(#header #braces)
}

fn write_function(function: &Function, given: &Given) -> TokenStream {
    let mut function = function.clone();
    let own = match take_own(&mut function.attributes) {
        Own::Skip => return function.to_token_stream(),
        Own::Given(own) => own,
    };
    match own.and_then(|own| resolve::resolve(own.over(given), &function)) {
        Ok(args) => crate::expand::expand(&args, &function),
        Err(error) => {
            let error = error.into_compile_error();
            // Beside the function an error may stand only where items may; in its body it may stand everywhere.
            let body = function.body.stream();
            function.body = function::with_content(&function.body, quote!(#error #body));
            function.to_token_stream()
        }
    }
}

fn write_inner(attributes: &[Attribute], inner: &Container, given: &Given) -> TokenStream {
    let mut attributes = attributes.to_vec();
    let content = match take_own(&mut attributes) {
        Own::Skip => write_plain(inner),
        Own::Given(Ok(own)) => {
            let given = own.over(given);
            write(inner, &given)
        }
        Own::Given(Err(error)) => {
            let (error, content) = (error.into_compile_error(), write_plain(inner));
            quote!(#content #error)
        }
    };
    quote!(#(#attributes)* #content)
}

fn write_plain(container: &Container) -> TokenStream {
    let (header, braces) = (&container.header, &container.braces);
    quote!(#header #braces)
}

/// What an item inside says for itself.
enum Own {
    Skip,
    Given(syn::Result<Given>),
}

/// Takes an item's own `#[observe(..)]` away.
fn take_own(attributes: &mut Vec<Attribute>) -> Own {
    let is_ours = |attribute: &Attribute| {
        attribute.path().segments.last().is_some_and(|segment| segment.ident == "observe")
    };
    let Some(at) = attributes.iter().position(is_ours) else { return Own::Given(Ok(Given::default())) };
    let tokens = match attributes.remove(at).meta {
        syn::Meta::List(list) => list.tokens,
        syn::Meta::Path(_) | syn::Meta::NameValue(_) => TokenStream::new(),
    };
    if args::is_skip(&tokens) { Own::Skip } else { Own::Given(args::parse(tokens)) }
}

/// A container without its attributes.
fn container(input: ParseStream<'_>) -> syn::Result<Container> {
    let (header, end) = until(input, is_brace)?;
    let TokenTree::Group(braces) = end else { return Err(input.error("expected a block")) };
    let owner = owner(&header);
    let items = |input: ParseStream<'_>| items(input, owner.as_deref());
    let items = items.parse2(flat(braces.stream()))?;
    Ok(Container { header, braces, items })
}

fn items(input: ParseStream<'_>, owner: Option<&str>) -> syn::Result<Vec<Item>> {
    let mut inner = input.call(Attribute::parse_inner)?;
    attributes::expect_nothing(&mut inner);
    let mut items = vec![Item::Other(quote!(#(#inner)*))];
    while !input.is_empty() {
        items.push(item(input, owner)?);
    }
    Ok(items)
}

fn item(input: ParseStream<'_>, owner: Option<&str>) -> syn::Result<Item> {
    let ahead = input.fork();
    let mut attributes = ahead.call(Attribute::parse_outer)?;
    match kind(ahead.cursor().token_stream()) {
        Kind::Function => Ok(match function::read(input)? {
            Declared::Function(mut function) => {
                function.owner = owner.map(str::to_owned);
                Item::Function(function)
            }
            Declared::Unfit(tokens, _) => Item::Other(tokens),
        }),
        Kind::Container => {
            input.call(Attribute::parse_outer)?;
            attributes::expect_nothing(&mut attributes);
            Ok(Item::Container(attributes, container(input)?))
        }
        Kind::Other { ends_with_semicolon, .. } => {
            let ends = |token: &TokenTree| is_punct(token, ';') || (!ends_with_semicolon && is_brace(token));
            let (tokens, end) = until(input, ends)?;
            Ok(Item::Other(quote!(#tokens #end)))
        }
    }
}

/// The tokens without the invisible groups that a `macro_rules!` macro puts around each `$item:item`.
fn flat(tokens: TokenStream) -> TokenStream {
    let open = |token: TokenTree| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => flat(group.stream()),
        token => token.into(),
    };
    tokens.into_iter().flat_map(open).collect()
}

/// What an item is.
pub(crate) enum Kind {
    Function,
    Container,
    Other {
        /// The word that says so.
        word: Option<Ident>,
        ends_with_semicolon: bool,
    },
}

/// Tells from an item's first tokens what it is.
pub(crate) fn kind(item: TokenStream) -> Kind {
    let mut tokens = item.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let word = match token {
            TokenTree::Ident(word) => word,
            // Attributes, `pub(crate)`, `extern "C"`, and what a macro was given.
            TokenTree::Literal(_) => continue,
            TokenTree::Punct(punct) if punct.as_char() == '#' => continue,
            TokenTree::Group(group) if group.delimiter() != Delimiter::Brace => continue,
            TokenTree::Group(_) | TokenTree::Punct(_) => break,
        };
        let next = match tokens.peek() {
            Some(TokenTree::Ident(next)) => next.to_string(),
            _ => String::new(),
        };
        let ends_with_semicolon = match word.to_string().as_str() {
            "fn" => return Kind::Function,
            "impl" | "trait" => return Kind::Container,
            "mod" if tokens.nth(1).is_some_and(|token| is_brace(&token)) => return Kind::Container,
            "const" if ["fn", "async", "unsafe", "extern"].contains(&next.as_str()) => continue,
            "extern" if next == "crate" => true,
            "mod" | "const" | "static" | "use" | "type" | "let" => true,
            "struct" | "enum" | "union" | "macro_rules" => false,
            _ => continue,
        };
        return Kind::Other { word: Some(word), ends_with_semicolon };
    }
    Kind::Other { word: None, ends_with_semicolon: false }
}

/// The tokens before the first that `ends`, and that one. What stands in angle brackets is passed over.
fn until(input: ParseStream<'_>, ends: impl Fn(&TokenTree) -> bool) -> syn::Result<(TokenStream, TokenTree)> {
    let (mut tokens, mut angles, mut after_dash) = (TokenStream::new(), 0u32, false);
    loop {
        let token: TokenTree = input.parse()?;
        if angles == 0 && ends(&token) {
            return Ok((tokens, token));
        }
        if is_punct(&token, '<') {
            angles += 1;
        } else if is_punct(&token, '>') && !after_dash {
            angles = angles.saturating_sub(1);
        }
        after_dash = is_punct(&token, '-');
        tokens.extend([token]);
    }
}

fn is_brace(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

fn is_punct(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}

/// The name of the type or trait that a header speaks of.
fn owner(header: &TokenStream) -> Option<String> {
    let (mut name, mut angles, mut is_trait) = (None, 0u32, false);
    for token in header.clone() {
        match &token {
            TokenTree::Ident(word) if angles == 0 => match word.to_string().as_str() {
                "where" => break,
                "mod" => return None,
                "trait" => is_trait = true,
                "impl" | "for" | "unsafe" | "pub" | "dyn" | "default" | "const" | "mut" | "auto" => {}
                text => name = Some(text.trim_start_matches("r#").to_owned()),
            },
            // Supertraits follow.
            _ if is_trait && is_punct(&token, ':') => break,
            _ if is_punct(&token, '<') => angles += 1,
            _ if is_punct(&token, '>') => angles = angles.saturating_sub(1),
            _ => {}
        }
    }
    name
}
