//! What others wrote, made safe for a terminal and for scripts (C19): nothing that moves the cursor, hides or reverses text.

use data_encoding::HEXLOWER;
use serde::Serialize;

/// Whether a character could do more than be seen: controls, direction marks, invisible and private ones.
fn is_dangerous(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e000}'..='\u{f8ff}'
                | '\u{e0000}'..='\u{e0fff}' | '\u{f0000}'..='\u{10ffff}'
        )
}

/// One line of text as it can be shown.
pub fn clean(text: &str) -> String {
    let show = |character| match character {
        '\n' | '\r' | '\t' => ' ',
        dangerous if is_dangerous(dangerous) => '\u{fffd}',
        harmless => harmless,
    };
    text.chars().map(show).collect()
}

/// One line of JSON, complete and unaltered for the script that reads it, harmless for the terminal that shows it.
pub fn json_line(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value)
        .unwrap_or_else(|error| format!("{{\"event\":\"fault\",\"message\":\"{error}\"}}"));
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        // Outside of strings there are no such characters, and inside of them this form means the same.
        if is_dangerous(character) {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                line.push_str("\\u");
                line.push_str(&HEXLOWER.encode(&unit.to_be_bytes()));
            }
        } else {
            line.push(character);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const NASTY: &str = "a\u{1b}[2Jb\u{9b}31mc\u{202e}dcba\u{2066}e\rf\ng\u{7f}\u{200b}\u{e0041}";

    #[test]
    fn c19_names_and_chat_cannot_drive_the_terminal() {
        let shown = clean(NASTY);
        assert!(!shown.chars().any(is_dangerous), "{shown:?}");
        assert_eq!(shown, "a\u{fffd}[2Jb\u{fffd}31mc\u{fffd}dcba\u{fffd}e f g\u{fffd}\u{fffd}\u{fffd}");
        assert_eq!(clean("Žižkov, 北京, שלום, 👩‍🔬"), "Žižkov, 北京, שלום, 👩‍🔬");
    }

    #[test]
    fn c19_json_is_harmless_and_loses_nothing() {
        let line = json_line(&serde_json::json!({ "text": NASTY }));
        assert!(!line.chars().any(is_dangerous), "{line:?}");
        let back: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(back["text"], NASTY);
    }
}
