//! Text to token ids, masks and kept tokens; vocabulary pruning
