//! The tests of the system from outside. They are in `outside/main.rs`; this library is empty.
