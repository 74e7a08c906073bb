//! Process managers: each follows the log into a to-do list and issues the commands that the list asks for. Nothing
//! here starts a task or looks at a clock of its own, so that the simulation runs the very same code.

mod agenda;
mod assignments;
mod daily_statements;
mod order_upkeep;
mod parked_upkeep;
mod todo;
mod turn;

pub use agenda::AttemptPatience;
pub use assignments::{
    AssignmentTodo, Assignments, DueAssignment, LookedAssignment, MemoryAssignmentTodo, SqlAssignmentTodo, TouchedAssignment,
};
pub use daily_statements::DailyStatements;
pub use order_upkeep::OrderUpkeep;
pub use parked_upkeep::ParkedUpkeep;
pub use todo::{DueOrder, Looked, MemoryOrderTodo, OrderTodo, SqlOrderTodo, TODO_MIGRATIONS, TodoError, Touched};
