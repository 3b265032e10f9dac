//! What the attribute's arguments mean for one function.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Expr, ExprClosure, ExprLit, Ident, Lit};

use crate::{
    args::{Entry, Given, Place, Value, unknown},
    function::{Function, Parameter, Returns},
};

/// The attribute's arguments, worked out.
pub(crate) struct Args {
    /// Path of the crate that the expansion names.
    pub(crate) krate: TokenStream,
    pub(crate) name: Option<Expr>,
    /// Variant of `SpanType`, if not `Span`.
    pub(crate) span_type: Option<Ident>,
    /// Variant of `Level`, if not `Default`.
    pub(crate) level: Option<Ident>,
    pub(crate) model: Option<Expr>,
    pub(crate) version: Option<Expr>,
    pub(crate) session: Option<Expr>,
    pub(crate) user: Option<Expr>,
    pub(crate) tags: Vec<Expr>,
    pub(crate) metadata: Vec<(String, Expr)>,
    pub(crate) trace_id: Option<Expr>,
    pub(crate) parent: Option<Expr>,
    pub(crate) input: Input,
    pub(crate) output: Output,
    /// Whether a returned `Err` is a failure.
    pub(crate) errors_fail: bool,
    /// Where it says that what is returned is a stream or an iterator, whatever it looks like.
    pub(crate) stream: Option<Span>,
}

/// What is captured of the arguments.
pub(crate) enum Input {
    Arguments(Vec<Argument>),
    Expr(Expr),
}

/// An argument that is captured.
pub(crate) struct Argument {
    pub(crate) parameter: Parameter,
    pub(crate) redaction: Redaction,
}

/// What of an argument is not to be recorded.
pub(crate) enum Redaction {
    Nothing,
    Everything,
    /// What stands at these paths of field names.
    Fields(Vec<Vec<String>>),
}

/// What is captured of the returned value.
pub(crate) enum Output {
    Value,
    Closure(Box<ExprClosure>),
    Nothing,
}

/// Works out what the arguments say of the function.
pub(crate) fn resolve(given: Given, function: &Function) -> syn::Result<Args> {
    let arguments = function
        .parameters()
        .into_iter()
        .map(|parameter| Argument { parameter, redaction: Redaction::Nothing });
    let mut args = Args {
        krate: quote!(::observe),
        name: None,
        span_type: None,
        level: None,
        model: None,
        version: None,
        session: None,
        user: None,
        tags: Vec::new(),
        metadata: Vec::new(),
        trace_id: None,
        parent: None,
        input: Input::Arguments(arguments.collect()),
        output: Output::Value,
        errors_fail: true,
        stream: None,
    };
    let known: Vec<String> = function.parameters().iter().map(|p| p.name.to_string()).collect();
    for entry in given.0 {
        if let Value::Places(places) = &entry.value
            && !entry.inherited
        {
            exist(places, &known)?;
        }
        if entry.key == "stream" && matches!(function.returns(), Returns::Unit | Returns::Never) {
            let text = "`stream` stands on a function that returns a stream or an iterator";
            return Err(syn::Error::new(entry.key.span(), text));
        }
        args.set(entry);
    }
    Ok(args)
}

/// An error at the first place that is in none of the arguments.
pub(crate) fn exist(places: &[Place], known: &[String]) -> syn::Result<()> {
    for Place { argument, .. } in places {
        if argument == "self" {
            return Err(syn::Error::new(argument.span(), "`self` is never captured"));
        }
        if !known.contains(&argument.to_string()) {
            let known = known.iter().map(String::as_str);
            return Err(unknown(argument.span(), "parameter", &argument.to_string(), known));
        }
    }
    Ok(())
}

impl Args {
    fn set(&mut self, Entry { key, value, .. }: Entry) {
        match (key.to_string().as_str(), value) {
            ("name", Value::Expr(expr)) => self.name = Some(expr),
            ("model", Value::Expr(expr)) => self.model = Some(expr),
            ("version", Value::Expr(expr)) => self.version = Some(expr),
            ("session", Value::Expr(expr)) => self.session = Some(expr),
            ("user", Value::Expr(expr)) => self.user = Some(expr),
            ("trace_id", Value::Expr(expr)) => self.trace_id = Some(expr),
            ("parent", Value::Expr(expr)) => self.parent = Some(expr),
            ("input", Value::Expr(expr)) => self.input = Input::Expr(expr),
            ("output", Value::Closure(closure)) => self.output = Output::Closure(closure),
            ("as_type", Value::Variant(variant)) => self.span_type = Some(variant),
            ("level", Value::Variant(variant)) => self.level = Some(variant),
            ("tags", Value::Exprs(tags)) => self.tags = tags,
            ("metadata", Value::Map(entries)) => self.metadata = entries,
            ("err", Value::Bool(fails)) => self.errors_fail = fails,
            ("capture_output", Value::Bool(false)) => self.output = Output::Nothing,
            ("stream", _) => self.stream = Some(key.span()),
            ("skip_all", _) | ("capture_input", Value::Bool(false)) => {
                self.input = Input::Arguments(Vec::new());
            }
            ("skip", Value::Places(places)) => {
                let skipped = |a: &Argument| places.iter().any(|place| place.argument == a.parameter.name);
                if let Input::Arguments(arguments) = &mut self.input {
                    arguments.retain(|argument| !skipped(argument));
                }
            }
            ("redact", Value::Places(places)) => places.into_iter().for_each(|place| self.redact(place)),
            ("crate", Value::Path(path)) => self.krate = quote!(#path),
            _ => {}
        }
    }

    fn redact(&mut self, place: Place) {
        let Input::Arguments(arguments) = &mut self.input else { return };
        let named = |argument: &&mut Argument| argument.parameter.name == place.argument;
        let Some(argument) = arguments.iter_mut().find(named) else { return };
        match &mut argument.redaction {
            _ if place.fields.is_empty() => argument.redaction = Redaction::Everything,
            Redaction::Everything => {}
            Redaction::Fields(paths) => paths.push(place.fields),
            Redaction::Nothing => argument.redaction = Redaction::Fields(vec![place.fields]),
        }
    }
}

/// The text of a string literal.
pub(crate) fn literal(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
        Expr::Group(group) => literal(&group.expr),
        _ => None,
    }
}
