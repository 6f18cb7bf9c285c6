//! Locks that a folder in use holds, and that go with the process that holds them.
