//! One signed-in device, driving all the rest.
