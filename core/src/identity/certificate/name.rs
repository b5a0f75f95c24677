//! How a person is called, in a form that cannot deceive the eye too easily.

use std::fmt;

use super::Error;
use crate::limits;

/// The name that a person's organisation vouches for (spec: IDN-09).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DisplayName(String);

impl DisplayName {
    /// 1 to 64 characters, none of them a control or an invisible format character, no space at the ends (spec: IDN-09).
    pub fn parse(text: &str) -> Result<Self, Error> {
        let length_ok = (1..=limits::DISPLAY_NAME_CHARACTERS).contains(&text.chars().take(65).count());
        if length_ok && text.trim() == text && !text.chars().any(deceives) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::DisplayName)
        }
    }

    /// As it travels.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DisplayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Controls, line separators, and what changes direction or takes no place.
fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idn_09_display_names_are_visible() {
        let long = "ü".repeat(64);
        for good in ["Alice", "Алиса Смирнова", "李 小龍", long.as_str()] {
            assert_eq!(DisplayName::parse(good).map(|name| name.to_string()), Ok(good.to_owned()));
        }
        let too_long = "ü".repeat(65);
        for bad in
            ["", " Alice", "Alice\u{202e}", "\u{200b}", "a\nb", "a\u{1b}[31m", "\u{feff}x", too_long.as_str()]
        {
            assert_eq!(DisplayName::parse(bad), Err(Error::DisplayName), "{bad:?}");
        }
    }
}
