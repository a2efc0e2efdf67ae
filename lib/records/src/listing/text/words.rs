//! The words of a line that have a shape.

/// Whether a word is a mode as `ls` prints it, without the mark that may follow: a type and nine rights.
#[inline]
pub(super) fn is_mode(word: &[u8; 10]) -> bool {
    const KIND: u8 = 1;
    const RIGHT: u8 = 2;
    const CLASSES: [u8; 256] = {
        let mut classes = [0; 256];
        let (kinds, rights) = (b"-bcCdDlMnpPs?", b"-rwxsStT");
        let mut at = 0;
        while at < kinds.len() {
            classes[kinds[at] as usize] |= KIND;
            at += 1;
        }
        at = 0;
        while at < rights.len() {
            classes[rights[at] as usize] |= RIGHT;
            at += 1;
        }
        classes
    };
    let class = |byte: u8| CLASSES[usize::from(byte)];
    let [kind, rights @ ..] = word;
    class(*kind) & KIND & (rights.iter().fold(RIGHT, |all, &right| all & class(right)) >> 1) != 0
}

/// Whether a word is `Jan`, `Feb`, and so on.
#[inline]
pub(super) fn is_month(word: [u8; 3]) -> bool {
    const fn number([a, b, c]: [u8; 3]) -> u32 {
        u32::from_le_bytes([a, b, c, b' '])
    }
    /// A slot of its own for each month, found by trial: comparing with one is faster than with twelve.
    const fn slot(month: u32) -> usize {
        (month.wrapping_mul(26_597) >> 28) as usize
    }
    const MONTHS: [u32; 16] = {
        let names =
            [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
        let mut months = [0; 16];
        let mut at = 0;
        while at < names.len() {
            let month = number(*names[at]);
            assert!(months[slot(month)] == 0, "two months have the same slot");
            months[slot(month)] = month;
            at += 1;
        }
        months
    };
    let month = number(word);
    MONTHS[slot(month)] == month
}

/// Whether a word is digits and nothing else.
pub(super) fn is_number(word: &[u8]) -> bool {
    !word.is_empty() && word.iter().all(u8::is_ascii_digit)
}
