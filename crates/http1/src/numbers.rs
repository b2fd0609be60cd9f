//! Numbers as HTTP writes them. Formatting machinery would cost more than the rest of a head.

use bytes::BufMut;

/// Writes the decimal digits of a number.
pub fn put_decimal(number: u64, into: &mut impl BufMut) {
    put(number, 10, into);
}

/// Writes the hexadecimal digits of a number.
pub(crate) fn put_hexadecimal(number: u64, into: &mut impl BufMut) {
    put(number, 16, into);
}

fn put(mut number: u64, base: u64, into: &mut impl BufMut) {
    let mut digits = [0_u8; 20];
    let mut start = digits.len();
    for digit in digits.iter_mut().rev() {
        let value = u8::try_from(number % base).unwrap_or_default();
        *digit = value + if value < 10 { b'0' } else { b'a' - 10 };
        number /= base;
        start -= 1;
        if number == 0 {
            break;
        }
    }
    into.put_slice(digits.get(start..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_formatting_would() {
        for number in [0, 1, 9, 10, 15, 16, 255, 1_203, u64::from(u32::MAX), u64::MAX] {
            let (mut decimal, mut hexadecimal) = (Vec::new(), Vec::new());
            put_decimal(number, &mut decimal);
            put_hexadecimal(number, &mut hexadecimal);
            assert_eq!(decimal, number.to_string().into_bytes());
            assert_eq!(hexadecimal, format!("{number:x}").into_bytes());
        }
    }
}
