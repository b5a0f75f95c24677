//! Sealing and opening media frames, and deciding where packets go.
