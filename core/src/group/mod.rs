//! One MLS group: as members drive it, and as servers that hold no secret follow it.
