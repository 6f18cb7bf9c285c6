//! Multilingual text encoders: token ids to token vectors
