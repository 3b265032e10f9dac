//! Values that serde would wait for: it locks a `Mutex` to look into it, which never ends if the caller holds it.
//!
//! A serializer is not told what it is given but by the type's name, and what is in a lock of any type cannot be reached
//! without waiting for it. So such a value is recorded by its type's name. What a `Serialize` of the user's own locks is
//! not seen here.

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
            "Mutex" | "RwLock" | "FairMutex" | "ReentrantMutex" | "DashMap" | "DashSet" => return true,
            "Box" | "Rc" | "Arc" | "Pin" | "Cow" | "Reverse" => name = inner,
            _ => return false,
        }
    }
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
    }

    #[test]
    fn what_holds_locks_among_other_things_is_looked_into() {
        assert!(
            !waits::<Vec<Mutex<u8>>>() && !waits::<Option<Mutex<u8>>>() && !waits::<HashMap<u8, Mutex<u8>>>()
        );
        assert!(!waits::<Arc<str>>() && !waits::<u8>() && !waits::<Box<dyn Fn(Mutex<u8>)>>());
    }
}
