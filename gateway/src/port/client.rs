/// What a page inside the wallet, a mini program or an app hands to the wallet: names and values in the channel's own
/// spelling, signed. It is worth what a code to scan is worth, and holds no secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientParameters {
    /// Names and values, in the order of the channel's pages. Every value is a text, numbers too.
    pub members: Vec<(&'static str, String)>,
}

impl ClientParameters {
    /// The value of the member `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.members.iter().find(|(member, _)| *member == name).map(|(_, value)| value.as_str())
    }
}
