//! Forms: the members of a notification, of a return and of a request's query.

use std::borrow::Cow;

use form_urlencoded::byte_serialize;

/// The most members that a form may have. Notifications have about thirty.
pub(super) const MEMBER_LIMIT: usize = 200;

/// A name and its value.
type Member<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

/// Members by name, decoded once, in the byte order of their names; no name twice.
#[derive(Debug)]
pub(super) struct Form<'a> {
    members: Vec<Member<'a>>,
}

/// Why bytes are no form that can be trusted to say one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FormError {
    /// A broken escape, a name that no form of Alipay has, or too many members.
    Malformed,
    /// A name appears twice: two readers may see two different values.
    Duplicate,
}

impl<'a> Form<'a> {
    /// Reads `name=value&…` as it came. Nothing is trimmed, repaired or decoded twice.
    pub(super) fn read(raw: &'a [u8]) -> Result<Self, FormError> {
        let mut members = Vec::with_capacity(32);
        for member in raw.split(|byte| *byte == b'&').filter(|member| !member.is_empty()) {
            if members.len() == MEMBER_LIMIT {
                return Err(FormError::Malformed);
            }
            let mut parts = member.splitn(2, |byte| *byte == b'=');
            let name = decoded(parts.next().unwrap_or_default())?;
            let value = decoded(parts.next().unwrap_or_default())?;
            // Such a name would let one signed text be split into members in two ways.
            if name.is_empty() || name.iter().any(|byte| matches!(byte, b'&' | b'=')) {
                return Err(FormError::Malformed);
            }
            members.push((name, value));
        }
        members.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let is_twice = members.windows(2).any(|pair| matches!(pair, [(one, _), (other, _)] if one == other));
        if is_twice { Err(FormError::Duplicate) } else { Ok(Self { members }) }
    }

    /// The member's value; an empty one counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&[u8]> {
        let place = self.members.binary_search_by(|(other, _)| other.as_ref().cmp(name.as_bytes())).ok()?;
        self.members.get(place).map(|(_, value)| value.as_ref()).filter(|value| !value.is_empty())
    }

    /// Names and values in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.members.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// The text that is signed: `name=value` joined by `&`, the values bare, without the members of these names.
    pub(super) fn canonical(&self, without: &[&str], empty: Empty) -> Vec<u8> {
        let mut text = Vec::with_capacity(self.iter().map(|(name, value)| name.len() + value.len() + 2).sum());
        for (name, value) in self.iter() {
            if without.iter().any(|other| other.as_bytes() == name) || (value.is_empty() && empty == Empty::Dropped) {
                continue;
            }
            if !text.is_empty() {
                text.push(b'&');
            }
            text.extend_from_slice(name);
            text.push(b'=');
            text.extend_from_slice(value);
        }
        text
    }

    /// Whether some member's value is empty.
    pub(super) fn has_empty(&self) -> bool {
        self.members.iter().any(|(_, value)| value.is_empty())
    }

    /// Whether the signed text could also be split in another way: some value holds `&`, then `=`.
    ///
    /// Values stand bare in the signed text, so a text has many splits. Only one of them is not ambiguous: the one in which
    /// every `&` that is followed by a name and `=` parts two members (reading refuses names that hold `&` or `=`). So who
    /// moves a member into a value, to say something else in its place, is seen.
    pub(super) fn is_ambiguous(&self) -> bool {
        self.members.iter().any(|(_, value)| {
            let mut parts = value.split(|byte| *byte == b'&');
            parts.next();
            parts.any(|part| part.contains(&b'='))
        })
    }
}

/// Whether members without a value stand in the signed text. Alipay's pages and its SDKs disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Empty {
    Kept,
    Dropped,
}

/// Undoes `+` and `%XX` once.
fn decoded(raw: &[u8]) -> Result<Cow<'_, [u8]>, FormError> {
    if !raw.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return Ok(Cow::Borrowed(raw));
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.iter().copied();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (rest.next().and_then(hex_digit), rest.next().and_then(hex_digit));
                high.zip(low).map(|(high, low)| high << 4 | low).ok_or(FormError::Malformed)?
            }
            other => other,
        });
    }
    Ok(Cow::Owned(bytes))
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Writes names and values as a form.
pub(super) fn write<'a>(members: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut form = String::new();
    for (name, value) in members {
        if !form.is_empty() {
            form.push('&');
        }
        form.extend(byte_serialize(name.as_bytes()));
        form.push('=');
        form.extend(byte_serialize(value.as_bytes()));
    }
    form
}

#[cfg(test)]
mod tests;
