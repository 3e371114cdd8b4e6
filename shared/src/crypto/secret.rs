//! Values that must not be seen: wiped when dropped, silent in `Debug`.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

/// A value that must not be seen.
pub struct Secret<T: Zeroize>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    /// Takes the value in.
    pub fn new(value: T) -> Self {
        Self(Zeroizing::new(value))
    }

    /// Lets the value be used; the name is for the reviewer's search.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_secret_is_silent() {
        assert_eq!(format!("{:?}", Secret::new(vec![1_u8, 2, 3])), "Secret(..)");
    }
}
