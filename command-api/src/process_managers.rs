//! Process managers: each follows the log into a to-do list and issues the commands that the list asks for. Nothing
//! here starts a task or looks at a clock of its own, so that the simulation runs the very same code.

mod todo;
mod unfinished_attempts;

pub use todo::{AttemptTodo, MemoryAttemptTodo, SqlAttemptTodo, TodoChange, TodoError, TodoItem, UNFINISHED_ATTEMPT_MIGRATION};
pub use unfinished_attempts::{AttemptPatience, UnfinishedAttempts};
