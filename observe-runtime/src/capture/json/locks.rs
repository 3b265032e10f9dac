//! Values that would be waited for: serde locks a `Mutex` to look into it, which never ends if the caller holds it.
//!
//! A serializer is not told what it is given but by the type's name, and what is in a lock of any type cannot be reached
//! without waiting for it. So such a value is recorded by its type's name. What a `Serialize` of the user's own locks is
//! not seen here, nor a lock that it passes its serializer on to, as a derived one does for `transparent`, `flatten`,
//! `untagged` and `tag`. To print a lock is no danger, for `Debug` only tries it; but the maps of many locks wait.

use std::any::type_name;

/// Whether to serialise a `T` is to wait for a lock.
#[inline(always)]
pub(super) fn waits<T: ?Sized>() -> bool {
    // Folded by the compiler for all but generic types, and for the two most usual of those, whose elements are looked at
    // one by one.
    let name = type_name::<T>();
    name.as_bytes().last() == Some(&b'>')
        && !name.starts_with("alloc::vec::Vec<")
        && !name.starts_with("core::option::Option<")
        && is_lock(name)
}

/// Whether this is a lock, or something that serialises as what it points to, which is one.
#[inline(never)]
fn is_lock(mut name: &str) -> bool {
    loop {
        name = name.trim_start_matches("&mut ").trim_start_matches('&');
        let Some((path, inner)) = name.split_once('<') else { return false };
        // No name: a tuple, a closure's arguments, `dyn Trait`.
        if path.contains([' ', '(', '[']) {
            return false;
        }
        match path.rsplit("::").next().unwrap_or(path) {
            "Mutex" | "RwLock" | "FairMutex" | "ReentrantMutex" => return true,
            _ if is_map_of_locks(path) => return true,
            "Box" | "Rc" | "Arc" | "Pin" | "Cow" | "Reverse" => name = inner,
            _ => return false,
        }
    }
}

/// Whether to print a `T` is to wait for a lock.
#[inline(always)]
pub(in crate::capture) fn waits_to_print<T: ?Sized>() -> bool {
    let name = type_name::<T>();
    name.as_bytes().last() == Some(&b'>') && holds_map_of_locks(name)
}

/// Whether this is such a map, or something that prints one among what it holds.
#[inline(never)]
fn holds_map_of_locks(name: &str) -> bool {
    name.match_indices('<').any(|(at, _)| is_map_of_locks(&name[..at]))
}

/// Whether a path ends here that is a concurrent map or set, whose entries are looked at one by one, each in its lock.
fn is_map_of_locks(path: &str) -> bool {
    ["::DashMap", "::DashSet"].iter().any(|name| path.ends_with(name))
        || (["::HashMap", "::HashSet", "::HashCache"].iter().any(|name| path.ends_with(name))
            && path.rsplit(['<', ' ', '&', '(', '[']).next().is_some_and(|path| path.starts_with("scc::")))
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashMap,
        rc::Rc,
        sync::{Arc, Mutex, RwLock},
    };

    use super::*;

    #[test]
    fn locks_are_known_by_their_names_also_behind_pointers() {
        assert!(waits::<Mutex<u8>>() && waits::<RwLock<Vec<u8>>>());
        assert!(waits::<&mut Arc<Mutex<u8>>>() && waits::<Box<&Rc<RwLock<str>>>>());
        for name in [
            "lock_api::mutex::Mutex<parking_lot::raw_mutex::RawMutex, u8>",
            "alloc::sync::Arc<lock_api::rwlock::RwLock<parking_lot::raw_rwlock::RawRwLock, u8>>",
            "&dashmap::DashMap<u8, u8>",
            "scc::hash_map::HashMap<u8, u8>",
        ] {
            assert!(is_lock(name), "{name}");
        }
        assert!(!is_lock("std::collections::hash::map::HashMap<u8, u8>"));
    }

    #[test]
    fn maps_of_locks_are_not_printed_wherever_they_are_and_other_locks_are() {
        for name in [
            "dashmap::DashMap<u8, u8>",
            "&alloc::sync::Arc<dashmap::set::DashSet<u8>>",
            "core::option::Option<(u8, dashmap::DashMap<u8, u8>)>",
            "std::collections::hash::map::HashMap<u8, scc::hash_map::HashMap<u8, u8>>",
        ] {
            assert!(holds_map_of_locks(name), "{name}");
        }
        assert!(!waits_to_print::<Arc<Mutex<u8>>>() && !waits_to_print::<HashMap<u8, RwLock<u8>>>());
    }

    #[test]
    fn what_holds_locks_among_other_things_is_looked_into() {
        assert!(
            !waits::<Vec<Mutex<u8>>>() && !waits::<Option<Mutex<u8>>>() && !waits::<HashMap<u8, Mutex<u8>>>()
        );
        assert!(!waits::<Arc<str>>() && !waits::<u8>() && !waits::<Box<dyn Fn(Mutex<u8>)>>());
    }
}
