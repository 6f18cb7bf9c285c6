//! What results let be read, one line per field.

/// Methods that give a field: a copy of it, or a reference where it is written with `ref`.
macro_rules! getters {
    () => {};
    ($(#[$about:meta])* ref $field:ident: $kind:ty; $($rest:tt)*) => {
        $(#[$about])*
        #[must_use]
        pub fn $field(&self) -> &$kind {
            &self.$field
        }

        getters! { $($rest)* }
    };
    ($(#[$about:meta])* $field:ident: $kind:ty; $($rest:tt)*) => {
        $(#[$about])*
        #[must_use]
        pub fn $field(&self) -> $kind {
            self.$field
        }

        getters! { $($rest)* }
    };
}
