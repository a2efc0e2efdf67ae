//! Names as getdata escapes them.

/// The bytes that an escaped name stands for.
///
/// # Panics
/// It is not escaped as the contract says.
pub fn decode(escaped: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = escaped.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let kind = rest.next().unwrap();
        bytes.push(match kind {
            b'\\' => b'\\',
            b'a' => 7,
            b'b' => 8,
            b't' => b'\t',
            b'n' => b'\n',
            b'v' => 11,
            b'f' => 12,
            b'r' => b'\r',
            octal => {
                let digits = [octal, rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 8).unwrap()
            }
        });
    }
    bytes
}
