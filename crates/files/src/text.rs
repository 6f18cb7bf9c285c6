//! Opens text files: byte order marks, packing and encodings are dealt with here, for every reader.
