//! A call before `main`.
#![allow(unsafe_code)]

use std::panic::catch_unwind;

// SAFETY: the system's loader calls what this section points to once, before `main`, with arguments that a C function
// may ignore; it asks only that the function returns. The standard library works there but for the program's arguments
// on some systems, which nobody asks for.
#[used]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
#[cfg_attr(windows, unsafe(link_section = ".CRT$XCU"))]
#[cfg_attr(not(any(target_vendor = "apple", windows)), unsafe(link_section = ".init_array"))]
static BEFORE_MAIN: extern "C" fn() = run;

extern "C" fn run() {
    // Nothing may unwind into C.
    let _ = catch_unwind(super::begin);
}
