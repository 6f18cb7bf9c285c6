//! Late-interaction and lexical search, runs, measures and significance
