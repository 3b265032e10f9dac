//! What stands in the attribute, as it is written: what it means for a function is worked out in `resolve`.

use proc_macro2::{Span, TokenStream};
use syn::{
    Expr, ExprClosure, Ident, LitBool, LitStr, Member, Path, Token, braced, bracketed,
    ext::IdentExt,
    parenthesized,
    parse::{ParseStream, Parser},
    punctuated::Punctuated,
    spanned::Spanned,
};

const KEYS: [&str; 21] = [
    "as_type",
    "capture_input",
    "capture_output",
    "crate",
    "err",
    "input",
    "level",
    "metadata",
    "model",
    "name",
    "output",
    "parent",
    "redact",
    "session",
    "skip",
    "skip_all",
    "stream",
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

/// The attribute's arguments in their order, each key once, none contradicting another.
#[derive(Clone, Default)]
pub(crate) struct Given(pub(crate) Vec<Entry>);

/// One argument.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) key: Ident,
    pub(crate) value: Value,
    /// Whether it comes from an attribute further out, which speaks of many functions.
    pub(crate) inherited: bool,
}

#[derive(Clone)]
pub(crate) enum Value {
    /// `skip_all` `stream`
    Nothing,
    /// `name = expr` and the like
    Expr(Expr),
    /// `as_type = "tool"`: the variant's name
    Variant(Ident),
    /// `err = false`
    Bool(bool),
    /// `tags = [expr, ..]`
    Exprs(Vec<Expr>),
    /// `metadata = { key: expr, .. }`
    Map(Vec<(String, Expr)>),
    /// `output = |ret| expr`
    Closure(Box<ExprClosure>),
    /// `skip(arg, ..)` `redact(arg, arg.field, ..)`
    Places(Vec<Place>),
    /// `crate = path`
    Path(Path),
}

/// An argument, or something inside it.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) argument: Ident,
    /// Field names and indices; empty for the whole argument.
    pub(crate) fields: Vec<String>,
}

/// Whether the function is to be left out: `#[observe(skip)]`.
pub(crate) fn is_skip(tokens: &TokenStream) -> bool {
    let mut tokens = tokens.clone().into_iter();
    tokens.next().is_some_and(|token| token.to_string() == "skip") && tokens.next().is_none()
}

/// Reads the arguments.
pub(crate) fn parse(tokens: TokenStream) -> syn::Result<Given> {
    let read = |input: ParseStream<'_>| {
        let mut given = Given::default();
        while !input.is_empty() {
            let key = input.call(Ident::parse_any)?;
            if given.0.iter().any(|entry| entry.key == key) {
                return Err(syn::Error::new(key.span(), format!("`{key}` is given twice")));
            }
            let entry = Entry { value: value(&key, input)?, key, inherited: false };
            if let Some(text) = given.0.iter().find_map(|other| contradiction(other, &entry)) {
                return Err(syn::Error::new(entry.key.span(), text));
            }
            given.0.push(entry);
            if input.is_empty() {
                break;
            }
            input.parse::<Token![,]>()?;
        }
        Ok(given)
    };
    read.parse2(tokens)
}

impl Given {
    /// These arguments with those of an attribute further out as defaults.
    pub(crate) fn over(mut self, outer: &Given) -> Given {
        let defaults = outer.0.iter().filter(|default| {
            self.0.iter().all(|own| own.key != default.key && contradiction(own, default).is_none())
        });
        let defaults: Vec<_> = defaults.map(|entry| Entry { inherited: true, ..entry.clone() }).collect();
        self.0.extend(defaults);
        self
    }
}

/// Why two arguments cannot stand together, if they cannot.
fn contradiction(one: &Entry, other: &Entry) -> Option<String> {
    let says = |entry: &Entry, word: &str| entry.key == word && !matches!(entry.value, Value::Bool(true));
    let chooses = |entry: &Entry| ["skip", "redact"].iter().any(|word| entry.key == word);
    let both = |a: &str, b: &str| (says(one, a) && says(other, b)) || (says(one, b) && says(other, a));
    let either = |word: &str, test: &dyn Fn(&Entry) -> bool| {
        (says(one, word) && test(other)) || (says(other, word) && test(one))
    };
    let nothing = |why: &str| Some(format!("`{}` has no effect beside `{}`: {why}", other.key, one.key));
    let captures = |entry: &Entry| entry.key == "capture_input" && matches!(entry.value, Value::Bool(true));
    if both("input", "skip_all") || both("input", "capture_input") || either("input", &chooses) {
        return nothing("`input` takes the place of all arguments");
    }
    if either("skip_all", &chooses) || either("skip_all", &captures) || both("skip_all", "capture_input") {
        return nothing("`skip_all` leaves all arguments out");
    }
    if either("capture_input", &chooses) {
        return nothing("`capture_input = false` leaves all arguments out");
    }
    if let (Value::Places(places), Value::Places(others)) = (&one.value, &other.value)
        && let Some(place) = others.iter().find(|o| places.iter().any(|p| p.argument == o.argument))
    {
        return Some(format!("`{}` is both skipped and redacted", place.argument));
    }
    if both("output", "capture_output") {
        return nothing("`capture_output = false` leaves the output out");
    }
    None
}

/// What stands behind the key.
fn value(key: &Ident, input: ParseStream<'_>) -> syn::Result<Value> {
    let word = key.to_string();
    match word.as_str() {
        "skip_all" | "stream" => return Ok(Value::Nothing),
        "skip" | "redact" => return places(key, input).map(Value::Places),
        word if !KEYS.contains(&word) => {
            return Err(unknown(key.span(), "argument", word, KEYS.into_iter()));
        }
        _ => {}
    }
    if !input.peek(Token![=]) {
        let example = match word.as_str() {
            "tags" => "[..]",
            "metadata" => "{ key: .. }",
            "output" => "|ret| ..",
            "as_type" | "level" => "\"..\"",
            "capture_input" | "capture_output" | "err" => "false",
            _ => "..",
        };
        return Err(syn::Error::new(key.span(), format!("`{word}` takes a value: `{word} = {example}`")));
    }
    input.parse::<Token![=]>()?;
    Ok(match word.as_str() {
        "as_type" => Value::Variant(variant(input, "span type", &TYPES)?),
        "level" => Value::Variant(variant(input, "level", &LEVELS)?),
        "capture_input" | "capture_output" | "err" => Value::Bool(boolean(input)?),
        "tags" => Value::Exprs(list(input)?),
        "metadata" => Value::Map(map(input)?),
        "crate" => Value::Path(Path::parse_mod_style(input)?),
        "output" => Value::Closure(Box::new(closure(input)?)),
        _ => Value::Expr(input.parse()?),
    })
}

/// `true` or `false`
fn boolean(input: ParseStream<'_>) -> syn::Result<bool> {
    input.parse::<LitBool>().map(|literal| literal.value)
}

/// `[expr, ..]`
fn list(input: ParseStream<'_>) -> syn::Result<Vec<Expr>> {
    let content;
    bracketed!(content in input);
    Ok(Punctuated::<Expr, Token![,]>::parse_terminated(&content)?.into_iter().collect())
}

/// `{ key: expr, .. }`, with keys that are words or strings
fn map(input: ParseStream<'_>) -> syn::Result<Vec<(String, Expr)>> {
    let content;
    braced!(content in input);
    let mut entries: Vec<(String, Expr)> = Vec::new();
    while !content.is_empty() {
        let (key, span) = if content.peek(LitStr) {
            let literal = content.parse::<LitStr>()?;
            (literal.value(), literal.span())
        } else {
            let word = content.call(Ident::parse_any)?;
            (word.unraw().to_string(), word.span())
        };
        if entries.iter().any(|(known, _)| *known == key) {
            return Err(syn::Error::new(span, format!("`{key}` is given twice")));
        }
        content.parse::<Token![:]>()?;
        entries.push((key, content.parse()?));
        if !content.is_empty() {
            content.parse::<Token![,]>()?;
        }
    }
    Ok(entries)
}

/// `|ret| expr`
fn closure(input: ParseStream<'_>) -> syn::Result<ExprClosure> {
    match input.parse()? {
        Expr::Closure(closure) if closure.inputs.len() == 1 && closure.asyncness.is_none() => Ok(closure),
        other => {
            Err(syn::Error::new(other.span(), "`output` takes a closure of what is returned: `|ret| ..`"))
        }
    }
}

/// `(arg, ..)`; for `redact` also `(arg.field.path, ..)`
fn places(key: &Ident, input: ParseStream<'_>) -> syn::Result<Vec<Place>> {
    if !input.peek(syn::token::Paren) {
        return Err(syn::Error::new(key.span(), format!("`{key}` takes arguments: `{key}(arg, ..)`")));
    }
    let content;
    parenthesized!(content in input);
    let mut places: Vec<Place> = Vec::new();
    for expr in Punctuated::<Expr, Token![,]>::parse_terminated(&content)? {
        let place = place(&expr).filter(|place| key == "redact" || place.fields.is_empty());
        let Some(place) = place else {
            let text = match key == "skip" {
                true => "expected an argument's name: a part of one is left out with `redact`",
                false => "expected an argument or a field of one: `arg` or `arg.field`",
            };
            return Err(syn::Error::new(expr.span(), text));
        };
        let clash = |other: &&Place| other.argument == place.argument && other.fields == place.fields;
        if places.iter().any(|other| clash(&other)) {
            let path = [vec![place.argument.to_string()], place.fields].concat().join(".");
            return Err(syn::Error::new(expr.span(), format!("`{path}` is given twice")));
        }
        places.push(place);
    }
    Ok(places)
}

/// The place that `arg.field.0` names.
fn place(expr: &Expr) -> Option<Place> {
    match expr {
        Expr::Path(path) => Some(Place { argument: path.path.get_ident()?.clone(), fields: Vec::new() }),
        Expr::Group(group) => place(&group.expr),
        Expr::Field(field) => {
            let mut place = place(&field.base)?;
            place.fields.push(match &field.member {
                Member::Named(name) => name.unraw().to_string(),
                Member::Unnamed(index) => index.index.to_string(),
            });
            Some(place)
        }
        _ => None,
    }
}

/// `"name"` of one of `variants`
fn variant(input: ParseStream<'_>, what: &str, variants: &[(&str, &str)]) -> syn::Result<Ident> {
    let literal: LitStr = input.parse()?;
    let name = literal.value();
    match variants.iter().find(|(known, _)| *known == name) {
        Some((_, variant)) => Ok(Ident::new(variant, Span::call_site())),
        None => Err(unknown(literal.span(), what, &name, variants.iter().map(|(known, _)| *known))),
    }
}

/// An error that names the nearest right word, if one is near, else all of them.
pub(crate) fn unknown<'a>(
    span: Span,
    what: &str,
    given: &str,
    known: impl Iterator<Item = &'a str>,
) -> syn::Error {
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
