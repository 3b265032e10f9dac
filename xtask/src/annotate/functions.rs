//! The functions of a file, and where the attribute goes.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    Attribute, ImplItemFn, ItemFn, Macro, Signature, TraitItemFn,
    visit::{self, Visit},
};

use super::report::{Reason, Report};

/// Holds in every edition, in every module and without a prelude.
const ATTRIBUTE: &str = "#[::observe::observe] ";

/// Attributes by whose rules a function has no body that could be recorded.
const ALONE: [&str; 4] = ["naked", "panic_handler", "alloc_error_handler", "wasm_bindgen"];

/// `text` with the attribute on every function that can have it. All else stays as it is, and on its line.
pub(super) fn annotate(text: &str, report: &mut Report) -> syn::Result<String> {
    let code = code(text);
    let mut finder = Finder { report, places: Vec::new() };
    finder.visit_file(&syn::parse_file(code)?);
    finder.places.sort_unstable();
    let mut annotated = text[..text.len() - code.len()].to_owned();
    let mut from = 0;
    for place in finder.places {
        annotated.push_str(&code[from..place]);
        annotated.push_str(ATTRIBUTE);
        from = place;
    }
    annotated.push_str(&code[from..]);
    Ok(annotated)
}

/// `text` without its byte-order mark and the line that names its interpreter.
fn code(text: &str) -> &str {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match text.find('\n') {
        Some(end) if text.starts_with("#!") && !text[2..].trim_start().starts_with('[') => &text[end..],
        _ => text,
    }
}

struct Finder<'a> {
    report: &'a mut Report,
    /// Byte offsets.
    places: Vec<usize>,
}

impl Finder<'_> {
    /// Takes note of a function with a body that begins, after its attributes, with `head`.
    fn function(&mut self, attributes: &[Attribute], signature: &Signature, head: TokenStream) {
        let alone = ALONE.into_iter().find(|name| attributes.iter().any(|a| is(a, name)));
        if let Some(name) = alone {
            self.report.leave_out(Reason::Under(name), 1);
        } else if signature.constness.is_some() {
            self.report.leave_out(Reason::Const, 1);
        } else if let Some(first) = head.into_iter().next() {
            self.places.push(first.span().byte_range().start);
            self.report.annotated += 1;
        }
    }
}

/// Whether the attribute's name is `name`, be it in a path or in `unsafe(..)`.
fn is(attribute: &Attribute, name: &str) -> bool {
    let last = |path: &syn::Path| path.segments.last().is_some_and(|segment| segment.ident == name);
    last(attribute.path())
        || attribute.path().is_ident("unsafe")
            && attribute.parse_args::<syn::Path>().is_ok_and(|path| last(&path))
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        let mut head = item.vis.to_token_stream();
        item.sig.to_tokens(&mut head);
        self.function(&item.attrs, &item.sig, head);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        let mut head = item.vis.to_token_stream();
        item.modifiers.defaultness.to_tokens(&mut head);
        item.sig.to_tokens(&mut head);
        self.function(&item.attrs, &item.sig, head);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if item.default.is_some() {
            self.function(&item.attrs, &item.sig, item.sig.to_token_stream());
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_macro(&mut self, macro_: &'ast Macro) {
        self.report.leave_out(Reason::InMacro, definitions(macro_.tokens.clone()));
    }
}

/// How many functions `tokens` define.
fn definitions(tokens: TokenStream) -> usize {
    let mut count = 0;
    let mut after_fn = false;
    for token in tokens {
        count += match &token {
            TokenTree::Group(group) => definitions(group.stream()),
            TokenTree::Ident(_) => usize::from(after_fn),
            TokenTree::Punct(punct) => usize::from(after_fn && punct.as_char() == '$'),
            TokenTree::Literal(_) => 0,
        };
        after_fn = matches!(&token, TokenTree::Ident(word) if word == "fn");
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_with_a_body_is_annotated_and_nothing_else_is_touched() {
        let plain = "\u{feff}#![allow(x)]\r\n/// Größe.\r\n#[inline] @pub(crate) unsafe fn f(ä: u8) { @fn g() {} }\n\
            trait T { fn a(); @async fn b() {} const C: fn() = { @fn h() {} h }; }\n\
            impl T for () { #[test]\n  @extern \"C\" fn a() { let _ = || { @fn deep() {} }; } }\n\
            mod m { @fn i() -> fn() { todo!() } }\nextern \"C\" { fn foreign(); }\nstruct S(fn());\n";
        let mut report = Report::default();
        let annotated = annotate(&plain.replace('@', ""), &mut report).unwrap();
        assert_eq!(annotated, plain.replace('@', ATTRIBUTE));
        assert_eq!(report.to_string(), "7 functions: 7 annotated, 0 left out");
    }

    #[test]
    fn a_line_that_names_the_interpreter_stays_the_first() {
        let text = "#!/usr/bin/env run\nfn main() {}";
        let annotated = annotate(text, &mut Report::default()).unwrap();
        assert_eq!(annotated, format!("#!/usr/bin/env run\n{ATTRIBUTE}fn main() {{}}"));
    }

    #[test]
    fn what_cannot_be_observed_is_counted_by_reason() {
        let text = "const fn a() { fn inner() {} }\nmacro_rules! m { ($n:ident) => { fn $n() {} fn x(f: fn()) {} } }\n\
            #[unsafe(naked)] fn n() {}\n#[wasm_bindgen::wasm_bindgen] fn w() {}\n";
        let mut report = Report::default();
        let annotated = annotate(text, &mut report).unwrap();
        assert_eq!(annotated, text.replace("fn inner", &format!("{ATTRIBUTE}fn inner")));
        assert_eq!(
            report.to_string(),
            "6 functions: 1 annotated, 5 left out\n  1 `const fn`\n  2 in the body of a macro\n  1 under `#[naked]`\n  \
             1 under `#[wasm_bindgen]`"
        );
    }
}
