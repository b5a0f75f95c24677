//! Reading numbers of some bits.

/// What of a descriptor was not read yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    /// From the first bit on.
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// One bit.
    pub(super) fn flag(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    /// An unsigned number of up to 32 bits.
    pub(super) fn number(&mut self, bits: u32) -> Option<u32> {
        let mut number = 0;
        for _ in 0..bits {
            number = number << 1 | u32::from(self.flag()?);
        }
        Some(number)
    }

    /// One of `count` values, in as few bits as it takes.
    pub(super) fn one_of(&mut self, count: u32) -> Option<u32> {
        let width = u32::BITS - count.leading_zeros();
        let short = (1_u32.checked_shl(width)?).checked_sub(count)?;
        let value = self.number(width.checked_sub(1)?)?;
        if value < short {
            return Some(value);
        }
        Some((value << 1 | self.number(1)?).saturating_sub(short))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_bit_by_bit() {
        let mut bits = Bits::new(&[0b1010_0111, 0b1000_0000]);
        assert_eq!(bits.number(3), Some(0b101));
        assert_eq!(bits.number(6), Some(0b00_1111));
        assert_eq!(bits.flag(), Some(false));
        assert_eq!(bits.number(6), Some(0));
        assert_eq!(bits.number(1), None);
    }

    #[test]
    fn one_of_some_takes_as_few_bits_as_it_can() {
        // Of five values three have two bits, two have three.
        let coded = [0b0001_1011, 0b0111_0000];
        let mut bits = Bits::new(&coded);
        let values: Vec<_> = (0..5).map(|_| bits.one_of(5)).collect();
        assert_eq!(values, [Some(0), Some(1), Some(2), Some(3), Some(4)]);
        assert_eq!(Bits::new(&coded).one_of(1), Some(0), "no bits at all");
        assert_eq!(Bits::new(&coded).one_of(0), None);
    }
}
