//! The user's part in what must not leave the process; the rest is [`observe_wire::mask`].

#![forbid(unsafe_code)]

use std::{
    fmt, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use observe_model::Resource;
use observe_wire::{
    journal::{self, Batch, Dead, Recovered},
    mask::{Hook, Mask},
};
use serde_json::Value;

use crate::{journal::unrecorded, price::Prices, report::Once};

/// What stands in place of a value at which the hook panicked.
const PANICKED: &str = "[masked: the mask hook panicked]";

/// What takes out of recorded values what is not to leave the process.
#[derive(Clone)]
pub struct MaskHook(Hook);

impl MaskHook {
    /// A hook that is called on the library's own threads, with one value after another.
    pub fn new(hook: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hook))
    }

    /// The same, which does not panic and of which nothing is recorded. A value at which it does is masked as a whole.
    pub(crate) fn guarded(&self) -> Hook {
        static SAID: Once = Once::new();
        let Self(hook) = self.clone();
        Arc::new(move |value| {
            let asked = unrecorded(|| catch_unwind(AssertUnwindSafe(|| hook(value))));
            if let Err(panic) = asked {
                *value = PANICKED.into();
                SAID.say("the mask hook panicked: the values that it was given are masked as a whole");
                // What was thrown may panic once more.
                let _ = catch_unwind(AssertUnwindSafe(|| drop(panic)));
            }
        })
    }
}

/// The very same hook.
impl PartialEq for MaskHook {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for MaskHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MaskHook(..)")
    }
}

/// The mask and the prices of this process, for what others left.
static OURS: Mutex<Option<(Mask, Prices)>> = Mutex::new(None);

pub(crate) fn set(mask: Mask, prices: Prices) {
    *OURS.lock().unwrap_or_else(PoisonError::into_inner) = Some((mask, prices));
}

fn ours() -> (Mask, Prices) {
    OURS.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default()
}

#[cfg(feature = "otlp")]
pub(crate) fn current() -> Mask {
    ours().0
}

/// What processes that were killed left in their journals below `root` for the destination `name`, masked and priced like
/// what this process records; see [`journal::recover_dead`].
///
/// # Errors
/// As there.
pub fn recover_dead(
    root: &Path,
    name: &str,
    mut write: impl FnMut(&Resource, Batch) -> io::Result<()>,
) -> io::Result<Recovered> {
    journal::each_dead(root, name, |dead| read(dead, &mut write))
}

/// What a process left, masked and priced like what this one records.
pub(crate) fn read(
    dead: &mut Dead<'_>,
    mut write: impl FnMut(&Resource, Batch) -> io::Result<()>,
) -> io::Result<Recovered> {
    let (mask, prices) = ours();
    dead.read(|resource, mut batch| {
        let mut resource = resource.clone();
        mask.resource(&mut resource);
        batch.spans.iter_mut().for_each(|span| prices.fill(span));
        mask.batch(&mut batch);
        write(&resource, batch)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_that_panics_masks_the_whole_value_it_was_given() {
        let hook = MaskHook::new(|value| {
            *value = Value::Null;
            panic!("no");
        });
        let mut value = Value::from(1);
        hook.guarded()(&mut value);
        assert_eq!(value, PANICKED);
    }

    #[test]
    fn hooks_are_told_apart_however_alike_they_are() {
        let hook = || MaskHook::new(|_| {});
        let one = hook();
        assert!(one == one.clone() && one != hook());
    }
}
