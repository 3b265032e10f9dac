//! What stands in the attribute.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{
    Expr, ExprLit, Ident, Lit, LitBool, LitStr, Path, Token, braced, bracketed,
    ext::IdentExt,
    parenthesized,
    parse::{ParseStream, Parser},
    punctuated::Punctuated,
};

use crate::function::Function;

const KEYS: [&str; 16] = [
    "as_type",
    "capture_input",
    "capture_output",
    "crate",
    "level",
    "metadata",
    "model",
    "name",
    "parent",
    "session",
    "skip",
    "skip_all",
    "tags",
    "trace_id",
    "user",
    "version",
];

/// The variants of `SpanType` by name.
const TYPES: [(&str, &str); 10] = [
    ("span", "Span"),
    ("generation", "Generation"),
    ("agent", "Agent"),
    ("tool", "Tool"),
    ("chain", "Chain"),
    ("retriever", "Retriever"),
    ("embedding", "Embedding"),
    ("evaluator", "Evaluator"),
    ("guardrail", "Guardrail"),
    ("event", "Event"),
];

/// The variants of `Level` by name.
const LEVELS: [(&str, &str); 4] =
    [("debug", "Debug"), ("default", "Default"), ("warning", "Warning"), ("error", "Error")];

/// The attribute's arguments.
pub(crate) struct Args {
    /// Path of the crate that the expansion names.
    pub(crate) krate: TokenStream,
    pub(crate) name: Option<Expr>,
    /// Variant of `SpanType`.
    pub(crate) span_type: Ident,
    /// Variant of `Level`.
    pub(crate) level: Ident,
    pub(crate) model: Option<Expr>,
    pub(crate) version: Option<Expr>,
    pub(crate) session: Option<Expr>,
    pub(crate) user: Option<Expr>,
    pub(crate) tags: Vec<Expr>,
    pub(crate) metadata: Vec<(String, Expr)>,
    pub(crate) trace_id: Option<Expr>,
    pub(crate) parent: Option<Expr>,
    /// Parameters that are captured.
    pub(crate) captured: Vec<Ident>,
    pub(crate) capture_output: bool,
}

/// Reads the arguments and checks them against the function.
pub(crate) fn parse(tokens: TokenStream, function: &Function) -> syn::Result<Args> {
    let mut args = Args {
        krate: quote!(::observe),
        name: None,
        span_type: Ident::new("Span", Span::call_site()),
        level: Ident::new("Default", Span::call_site()),
        model: None,
        version: None,
        session: None,
        user: None,
        tags: Vec::new(),
        metadata: Vec::new(),
        trace_id: None,
        parent: None,
        captured: function.parameters(),
        capture_output: true,
    };
    let read = |input: ParseStream<'_>| {
        let mut seen = Vec::new();
        while !input.is_empty() {
            let key = input.call(Ident::parse_any)?;
            if seen.contains(&key) {
                return Err(syn::Error::new(key.span(), format!("`{key}` is given twice")));
            }
            args.read(&key, input, function)?;
            seen.push(key);
            if input.is_empty() {
                break;
            }
            input.parse::<Token![,]>()?;
        }
        Ok(())
    };
    read.parse2(tokens)?;
    Ok(args)
}

impl Args {
    fn read(&mut self, key: &Ident, input: ParseStream<'_>, function: &Function) -> syn::Result<()> {
        match key.to_string().as_str() {
            "name" => self.name = Some(value(input)?),
            "model" => self.model = Some(value(input)?),
            "version" => self.version = Some(value(input)?),
            "session" => self.session = Some(value(input)?),
            "user" => self.user = Some(value(input)?),
            "trace_id" => self.trace_id = Some(value(input)?),
            "parent" => self.parent = Some(value(input)?),
            "as_type" => self.span_type = variant(input, "span type", &TYPES)?,
            "level" => self.level = variant(input, "level", &LEVELS)?,
            "tags" => self.tags = list(input)?,
            "metadata" => self.metadata = map(input)?,
            "skip" => self.skip(input, function)?,
            "skip_all" => self.captured.clear(),
            "capture_input" => {
                if !boolean(input)? {
                    self.captured.clear();
                }
            }
            "capture_output" => self.capture_output = boolean(input)?,
            "crate" => {
                input.parse::<Token![=]>()?;
                let path: Path = Path::parse_mod_style(input)?;
                self.krate = quote!(#path);
            }
            _ => return Err(unknown(key.span(), "argument", &key.to_string(), KEYS.into_iter())),
        }
        Ok(())
    }

    fn skip(&mut self, input: ParseStream<'_>, function: &Function) -> syn::Result<()> {
        let content;
        parenthesized!(content in input);
        let names = Punctuated::<Ident, Token![,]>::parse_terminated(&content)?;
        let parameters: Vec<String> = function.parameters().iter().map(ToString::to_string).collect();
        for name in names {
            if !parameters.contains(&name.to_string()) {
                let known = parameters.iter().map(String::as_str);
                return Err(unknown(name.span(), "parameter", &name.to_string(), known));
            }
            self.captured.retain(|p| *p != name);
        }
        Ok(())
    }
}

/// `= expr`
fn value(input: ParseStream<'_>) -> syn::Result<Expr> {
    input.parse::<Token![=]>()?;
    input.parse()
}

/// `= true` or `= false`
fn boolean(input: ParseStream<'_>) -> syn::Result<bool> {
    input.parse::<Token![=]>()?;
    input.parse::<LitBool>().map(|literal| literal.value)
}

/// `= [expr, ..]`
fn list(input: ParseStream<'_>) -> syn::Result<Vec<Expr>> {
    input.parse::<Token![=]>()?;
    let content;
    bracketed!(content in input);
    Ok(Punctuated::<Expr, Token![,]>::parse_terminated(&content)?.into_iter().collect())
}

/// `= { key: expr, .. }`, with keys that are words or strings
fn map(input: ParseStream<'_>) -> syn::Result<Vec<(String, Expr)>> {
    input.parse::<Token![=]>()?;
    let content;
    braced!(content in input);
    let entry = |input: ParseStream<'_>| {
        let key = if input.peek(LitStr) {
            input.parse::<LitStr>()?.value()
        } else {
            input.call(Ident::parse_any)?.unraw().to_string()
        };
        input.parse::<Token![:]>()?;
        Ok((key, input.parse()?))
    };
    Ok(Punctuated::<_, Token![,]>::parse_terminated_with(&content, entry)?.into_iter().collect())
}

/// `= "name"` of one of `variants`
fn variant(input: ParseStream<'_>, what: &str, variants: &[(&str, &str)]) -> syn::Result<Ident> {
    input.parse::<Token![=]>()?;
    let literal: LitStr = input.parse()?;
    let name = literal.value();
    match variants.iter().find(|(known, _)| *known == name) {
        Some((_, variant)) => Ok(Ident::new(variant, Span::call_site())),
        None => Err(unknown(literal.span(), what, &name, variants.iter().map(|(known, _)| *known))),
    }
}

/// An error that names the nearest right word, if one is near, else all of them.
fn unknown<'a>(span: Span, what: &str, given: &str, known: impl Iterator<Item = &'a str>) -> syn::Error {
    let known: Vec<_> = known.collect();
    let near = known.iter().map(|word| (strsim::damerau_levenshtein(given, word), word)).min();
    let hint = match near {
        None => "there is none".to_owned(),
        Some((distance, word)) if distance <= word.len().max(given.len()) / 2 => {
            format!("did you mean `{word}`?")
        }
        Some(_) => format!("expected one of {}", known.join(", ")),
    };
    syn::Error::new(span, format!("unknown {what} `{given}`: {hint}"))
}

/// The text of a string literal.
pub(crate) fn literal(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
        _ => None,
    }
}
