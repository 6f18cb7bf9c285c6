//! Writes files whole or not at all, with the modes that the umask asks for.
