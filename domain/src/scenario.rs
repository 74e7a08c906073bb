//! Given these events, when this is asked, then that happens: how every aggregate's rules are tested.

use std::fmt::Debug;

use crate::decider::Decider;

/// What has happened so far.
pub(crate) struct Given<D> {
    state: D,
}

/// What came of a command.
pub(crate) struct When<D: Decider> {
    outcome: Result<Vec<D::Event>, D::Rejection>,
}

/// An aggregate to which `events` have happened.
pub(crate) fn given<D: Decider<State = D> + Default>(events: &[D::Event]) -> Given<D> {
    Given { state: D::fold(D::default(), events) }
}

impl<D: Decider<State = D>> Given<D> {
    pub(crate) fn when(&self, command: D::Command) -> When<D> {
        When { outcome: D::decide(&self.state, command) }
    }

    /// The state itself, for what the aggregate says of it.
    pub(crate) fn state(&self) -> &D {
        &self.state
    }
}

impl<D: Decider<Event: Debug + PartialEq, Rejection: Debug + PartialEq>> When<D> {
    #[track_caller]
    pub(crate) fn then(self, events: impl IntoIterator<Item = D::Event>) {
        assert_eq!(self.outcome, Ok(events.into_iter().collect()));
    }

    #[track_caller]
    pub(crate) fn then_nothing(self) {
        self.then([]);
    }

    #[track_caller]
    pub(crate) fn then_rejected(self, rejection: D::Rejection) {
        assert_eq!(self.outcome, Err(rejection));
    }
}
