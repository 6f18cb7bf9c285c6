//! Entropic optimal transport on slices and, with feature burn, on tensors
