//! What travels between devices and servers: generated from `proto/conclave`, nothing else.
//!
//! Shapes, units and sources stand as comments in the `.proto` files; the rules that hold between fields are in `spec/`.
#![allow(missing_docs, unreachable_pub, unused_qualifications, clippy::pedantic)] // Generated code; the protos are linted instead.

/// The protobuf packages, nested as their names are.
pub mod conclave {
    /// Shared by all areas.
    pub mod types {
        /// Version 1.
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/conclave.types.v1.rs"));
        }
    }
    /// Device to home server.
    pub mod client {
        /// Version 1.
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/conclave.client.v1.rs"));
        }
    }
    /// Home server to home server.
    pub mod federation {
        /// Version 1.
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/conclave.federation.v1.rs"));
        }
    }
    /// Control messages inside the relay link.
    pub mod relay {
        /// Version 1.
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/conclave.relay.v1.rs"));
        }
    }
}

pub use conclave::{client, federation, relay, types};
