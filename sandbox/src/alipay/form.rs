//! Form bodies and query strings, as bytes: which character set they are in is known only after reading them.

use std::collections::BTreeMap;

/// Members of a form by name, in byte order of the names, which is the order that signatures use.
pub(super) type Members = BTreeMap<String, Vec<u8>>;

/// Why a form cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FormError {
    /// A percent sign without two hexadecimal digits after it, or a name that is not UTF-8.
    Malformed,
    /// One name with two different values.
    Contradictory,
}

/// Adds the members of a form to `members`. The same member twice is taken once; with two values it is refused.
pub(super) fn read_into(members: &mut Members, form: &[u8]) -> Result<(), FormError> {
    for pair in form.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let at = pair.iter().position(|byte| *byte == b'=');
        let (name, value) = at.map_or((pair, &[][..]), |at| (&pair[..at], &pair[at + 1..]));
        let name = String::from_utf8(decode(name)?).map_err(|_| FormError::Malformed)?;
        let value = decode(value)?;
        match members.get(&name) {
            Some(known) if *known != value => return Err(FormError::Contradictory),
            _ => members.insert(name, value),
        };
    }
    Ok(())
}

fn decode(text: &[u8]) -> Result<Vec<u8>, FormError> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16)).ok_or(FormError::Malformed);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let value = digit(rest.next())? * 16 + digit(rest.next())?;
                u8::try_from(value).map_err(|_| FormError::Malformed)?
            }
            other => *other,
        });
    }
    Ok(bytes)
}

/// Writes members as a form body, in the order given.
pub(super) fn write<'a>(members: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> String {
    let mut form = String::new();
    for (name, value) in members {
        if !form.is_empty() {
            form.push('&');
        }
        encode(&mut form, name.as_bytes());
        form.push('=');
        encode(&mut form, value);
    }
    form
}

fn encode(form: &mut String, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => form.push(char::from(*byte)),
            b' ' => form.push('+'),
            other => {
                form.push('%');
                form.push(char::from(HEX[usize::from(other >> 4)]));
                form.push(char::from(HEX[usize::from(other & 15)]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: &str) -> Result<Vec<(String, String)>, FormError> {
        let mut members = Members::new();
        read_into(&mut members, form.as_bytes())?;
        Ok(members.into_iter().map(|(name, value)| (name, String::from_utf8(value).unwrap())).collect())
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn names_and_values_are_decoded_once() {
        assert_eq!(read("b=1%2b1&a=x+y%3D%252F").unwrap(), [pair("a", "x y=%2F"), pair("b", "1+1")]);
        assert_eq!(read("a=b=c&d&&e=").unwrap(), [pair("a", "b=c"), pair("d", ""), pair("e", "")]);
        assert_eq!(read("").unwrap(), []);
    }

    #[test]
    fn broken_escapes_are_refused() {
        for form in ["a=%", "a=%4", "a=%zz", "%g0=1", "a=%+1", "%ff=1"] {
            assert_eq!(read(form), Err(FormError::Malformed), "{form}");
        }
    }

    #[test]
    fn a_member_twice_must_say_the_same() {
        assert_eq!(read("a=1&a=%31").unwrap(), [pair("a", "1")]);
        assert_eq!(read("a=1&a=2"), Err(FormError::Contradictory));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let value = "a b+c&d=e%/书*~\"";
        let form = write([("name", value.as_bytes()), ("empty", b"".as_slice())]);
        assert_eq!(form, "name=a+b%2Bc%26d%3De%25%2F%E4%B9%A6%2A%7E%22&empty=");
        assert_eq!(read(&form).unwrap(), [pair("empty", ""), pair("name", value)]);
    }
}
