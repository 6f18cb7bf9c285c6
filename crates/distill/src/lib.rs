//! Distils a teacher encoder into a student by optimal transport on bitext
