//! x
use clap::Args;
use crate::trouble::Trouble;
#[derive(Debug, Args)]
pub(crate) struct Options {}
pub(crate) async fn run(_: &Options) -> Result<(), Trouble> { Ok(()) }
