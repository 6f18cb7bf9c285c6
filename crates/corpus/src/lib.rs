//! Readers of bitext and test collections, fetching and preparing
