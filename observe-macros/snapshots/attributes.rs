#[observe]
mod kept {
    #![expect(unused_variables, reason = "captured")]

    /// The first line.
    #[inline]
    #[must_use = "it is new"]
    #[deprecated(note = "old")]
    /// The last line.
    pub(in crate::kept) fn documented(#[expect(unused_variables)] n: u8) -> u8 {
        //! From inside.
        1
    }

    #[inline(never)]
    #[cold]
    #[doc(hidden)]
    #[cfg(unix)]
    #[cfg_attr(test, expect(unused_mut), allow(dead_code))]
    #[target_feature(enable = "avx2")]
    pub(super) async fn switched() {}

    #[unsafe(no_mangle)]
    #[unsafe(link_section = "text")]
    pub unsafe extern "C" fn exported() {}
}
