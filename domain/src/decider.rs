//! How every aggregate decides.

/// An aggregate: what is true of it, and what may happen to it.
pub trait Decider {
    /// What is true. The default is: nothing has happened yet.
    type State: Default;
    /// A wish.
    type Command;
    /// A fact.
    type Event;
    /// A refusal by a rule.
    type Rejection;

    /// What happens if `command` is asked of `state`; no events means: already so.
    fn decide(state: &Self::State, command: Self::Command) -> Result<Vec<Self::Event>, Self::Rejection>;

    /// The state after `event`. Never refuses: the event has happened.
    fn evolve(state: Self::State, event: &Self::Event) -> Self::State;

    /// The state after `events`.
    fn fold<'e>(state: Self::State, events: impl IntoIterator<Item = &'e Self::Event>) -> Self::State
    where
        Self::Event: 'e,
    {
        events.into_iter().fold(state, Self::evolve)
    }
}
