//! The allocator: mimalloc, told to keep what is freed.
//!
//! A training step frees and asks for the same hundreds of megabytes again and again. By default mimalloc gives memory that
//! is free for a second back to the system, which then clears every page anew: a step of ResNet-18 took 459 ms instead of 328.
//! `MIMALLOC_PURGE_DELAY=1000` in the environment asks for that; any other value is left alone, too.

use libmimalloc_sys::{mi_option_get, mi_option_set, mi_option_t};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` in mimalloc's header; the crate has no name for it.
const PURGE_DELAY: mi_option_t = 15;
/// What it is by default, in milliseconds: if it is something else, the environment set it, or the number is another's.
const DEFAULT: std::ffi::c_long = 1000;
const NEVER: std::ffi::c_long = -1;

/// Keeps freed memory for the program instead of giving it back to the system.
pub fn keep_freed_memory() {
    if std::env::var_os("MIMALLOC_PURGE_DELAY").is_some() {
        return;
    }
    // SAFETY: the functions read and write an entry of mimalloc's table of options, and check that it is one.
    #[allow(unsafe_code)]
    unsafe {
        if mi_option_get(PURGE_DELAY) == DEFAULT {
            mi_option_set(PURGE_DELAY, NEVER);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A new version of mimalloc may number its options in another way.
    #[test]
    fn the_option_is_the_one_that_is_meant() {
        // SAFETY: as in `keep_freed_memory`.
        #[allow(unsafe_code)]
        let get = || unsafe { mi_option_get(PURGE_DELAY) };
        assert_eq!(get(), DEFAULT);
        keep_freed_memory();
        assert_eq!(get(), NEVER);
    }
}
