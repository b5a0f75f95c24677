//! The contract of every machine: decide, never wait.

use crate::time::Time;

/// Decides; never waits. Call [`handle`](Self::handle), then drain [`poll`](Self::poll), before the next `handle`.
///
/// A refused input changes nothing. Outputs run in order; a `Persist` is durable before anything after it leaves.
pub trait Machine {
    /// What happened.
    type Input;
    /// What is to be done.
    type Output;
    /// Why an input was refused.
    type Error;

    /// Takes one input in.
    fn handle(&mut self, now: Time, input: Self::Input) -> Result<(), Self::Error>;

    /// The next thing to do, oldest first.
    fn poll(&mut self) -> Option<Self::Output>;

    /// When to come back with a tick, if nothing happens before.
    fn deadline(&self) -> Option<Time>;
}
