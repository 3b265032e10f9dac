//! Where headers are read from and written to.

use std::{
    collections::{BTreeMap, HashMap},
    hash::BuildHasher,
    process::Command,
};

/// Where [`extract`](super::extract) reads headers: a map or list of names and values, an `http::HeaderMap` (feature
/// `http`), or a closure that gives the value of a name.
pub trait Headers {
    /// Gives every value under `name`, in order. Names of headers are the same in upper and lower case.
    fn read(&self, name: &str, give: &mut dyn FnMut(&str));
}

/// Where [`inject`](super::inject) writes headers: a map or list of names and values, an `http::HeaderMap` (feature
/// `http`), the environment of a [`Command`], or a closure that takes a name and a value.
pub trait HeadersMut {
    /// Sets `name`, which is in lower case, to `value`, in place of what it had.
    fn write(&mut self, name: &'static str, value: &str);
}

impl<F: Fn(&str) -> Option<String>> Headers for F {
    fn read(&self, name: &str, give: &mut dyn FnMut(&str)) {
        if let Some(value) = self(name) {
            give(&value);
        }
    }
}

impl<F: FnMut(&str, &str)> HeadersMut for F {
    fn write(&mut self, name: &'static str, value: &str) {
        self(name, value);
    }
}

fn give_all<K: AsRef<str>, V: AsRef<str>>(
    pairs: impl Iterator<Item = (K, V)>,
    name: &str,
    give: &mut dyn FnMut(&str),
) {
    pairs
        .filter(|(key, _)| key.as_ref().eq_ignore_ascii_case(name))
        .for_each(|(_, value)| give(value.as_ref()));
}

impl<K: AsRef<str>, V: AsRef<str>, S> Headers for HashMap<K, V, S> {
    fn read(&self, name: &str, give: &mut dyn FnMut(&str)) {
        give_all(self.iter(), name, give);
    }
}

impl<S: BuildHasher> HeadersMut for HashMap<String, String, S> {
    fn write(&mut self, name: &'static str, value: &str) {
        self.retain(|key, _| !key.eq_ignore_ascii_case(name));
        self.insert(name.to_owned(), value.to_owned());
    }
}

impl<K: AsRef<str>, V: AsRef<str>> Headers for BTreeMap<K, V> {
    fn read(&self, name: &str, give: &mut dyn FnMut(&str)) {
        give_all(self.iter(), name, give);
    }
}

impl HeadersMut for BTreeMap<String, String> {
    fn write(&mut self, name: &'static str, value: &str) {
        self.retain(|key, _| !key.eq_ignore_ascii_case(name));
        self.insert(name.to_owned(), value.to_owned());
    }
}

impl<K: AsRef<str>, V: AsRef<str>> Headers for [(K, V)] {
    fn read(&self, name: &str, give: &mut dyn FnMut(&str)) {
        give_all(self.iter().map(|(key, value)| (key, value)), name, give);
    }
}

impl<K: AsRef<str>, V: AsRef<str>, const N: usize> Headers for [(K, V); N] {
    fn read(&self, name: &str, give: &mut dyn FnMut(&str)) {
        self[..].read(name, give);
    }
}

impl<K: AsRef<str>, V: AsRef<str>> Headers for Vec<(K, V)> {
    fn read(&self, name: &str, give: &mut dyn FnMut(&str)) {
        self[..].read(name, give);
    }
}

impl HeadersMut for Vec<(String, String)> {
    fn write(&mut self, name: &'static str, value: &str) {
        self.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        self.push((name.to_owned(), value.to_owned()));
    }
}

/// The child's environment: `TRACEPARENT`, `TRACESTATE` and `BAGGAGE`, which an observed process reads when it begins.
impl HeadersMut for Command {
    fn write(&mut self, name: &'static str, value: &str) {
        self.env(name.to_ascii_uppercase(), value);
    }
}

#[cfg(feature = "http")]
impl Headers for http::HeaderMap {
    fn read(&self, name: &str, give: &mut dyn FnMut(&str)) {
        self.get_all(name).iter().for_each(|value| give(&String::from_utf8_lossy(value.as_bytes())));
    }
}

#[cfg(feature = "http")]
impl HeadersMut for http::HeaderMap {
    fn write(&mut self, name: &'static str, value: &str) {
        if let Ok(value) = http::HeaderValue::from_str(value) {
            self.insert(name, value);
        }
    }
}
