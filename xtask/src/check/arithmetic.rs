//! Reads the few expressions that stand in `limits.rs`: numbers, `+ - *`, names, durations (as milliseconds).

use std::collections::BTreeMap;

/// The value, if the expression is of the known kind.
pub(super) fn evaluate(expression: &str, known: &BTreeMap<String, u128>) -> Option<u128> {
    let mut reader = Reader { rest: expression.trim(), known };
    let value = reader.sum()?;
    reader.rest.is_empty().then_some(value)
}

struct Reader<'a> {
    rest: &'a str,
    known: &'a BTreeMap<String, u128>,
}

impl Reader<'_> {
    fn take(&mut self, token: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(token) else { return false };
        self.rest = rest.trim_start();
        true
    }

    fn sum(&mut self) -> Option<u128> {
        let mut value = self.product()?;
        loop {
            if self.take("+") {
                value += self.product()?;
            } else if self.take("-") {
                value = value.checked_sub(self.product()?)?;
            } else {
                return Some(value);
            }
        }
    }

    fn product(&mut self) -> Option<u128> {
        let mut value = self.atom()?;
        while self.take("*") {
            value *= self.atom()?;
        }
        Some(value)
    }

    fn atom(&mut self) -> Option<u128> {
        let units =
            [("millis", 1), ("secs", 1000), ("mins", 60_000), ("hours", 3_600_000), ("days", 86_400_000)];
        for (unit, factor) in units {
            if self.take(&format!("Duration::from_{unit}(")) {
                let value = self.sum()? * factor;
                return self.take(")").then_some(value);
            }
        }
        if self.take("(") {
            let value = self.sum()?;
            return self.take(")").then_some(value);
        }
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        let value = word.replace('_', "").parse().ok().or_else(|| self.known.get(word).copied())?;
        self.rest = rest.trim_start();
        if self.take(".next_power_of_two()") {
            return Some(value.next_power_of_two());
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_kinds_are_read_and_others_refused() {
        let known = BTreeMap::from([("A".to_owned(), 1000)]);
        assert_eq!(evaluate("2 * A.next_power_of_two() - 1", &known), Some(2047));
        assert_eq!(evaluate("Duration::from_hours(7 * 24)", &known), Some(7 * 24 * 3_600_000));
        assert_eq!(evaluate("(1 + 2) * 1_000", &known), Some(3000));
        assert_eq!(evaluate("A as u64", &known), None);
        assert_eq!(evaluate("B", &known), None);
    }
}
