//! What is proven, black box: starts real servers and clients, lets them meet, and judges what it sees.
//!
//! It knows the protocol's messages and the programs' command lines; it links none of their code.

mod evidence;
mod grpc;
mod mallory;
mod organisation;
mod process;
mod table;

fn main() {}
