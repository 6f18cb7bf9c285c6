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

/// The methods that tell how a result ended; what is said of them is given.
macro_rules! ending {
    ($(#[$status:meta])* status, $(#[$converged:meta])* converged) => {
        $(#[$status])*
        #[must_use]
        pub fn status(&self) -> Status {
            self.status
        }

        $(#[$converged])*
        #[must_use]
        pub fn converged(&self) -> bool {
            self.status == Status::Converged
        }
    };
}

/// Methods that give the same settings with another value of a field.
macro_rules! setters {
    ($($(#[$about:meta])* $name:ident($field:ident: $kind:ty);)*) => {
        $(
            $(#[$about])*
            #[must_use]
            pub fn $name(self, $field: $kind) -> Self {
                Self { $field, ..self }
            }
        )*
    };
}
