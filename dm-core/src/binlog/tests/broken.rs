//! Files that are cut, flipped or made of noise: errors and clean ends, never a panic.
