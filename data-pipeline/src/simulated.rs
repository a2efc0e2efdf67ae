//! Sources that are made up: records of sales, the same for the same seed.

use std::io;
use std::path::Path;

use fastrand::Rng;

/// Records of a simulated source.
pub(crate) const RECORDS: i64 = 50;

const PRODUCTS: [&str; 5] = ["apples", "bread", "cheese", "milk", "tea"];
const REGIONS: [&str; 4] = ["north", "east", "south", "west"];
/// 2024-01-15 00:00:00, in UTC.
const START: i64 = 1_705_276_800;

/// Writes the source of this number, as CSV.
pub(crate) fn write(number: usize, seed: u64, to: &Path) -> io::Result<()> {
    let mut random = Rng::with_seed(seed.wrapping_add((number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    let mut rows = csv::Writer::from_path(to)?;
    rows.write_record(["id", "time", "product", "region", "quantity", "amount", "returned"])?;
    let mut second = START;
    for id in 1..=RECORDS {
        second += random.i64(1..=600);
        let quantity = random.i64(1..=20);
        let cents = quantity * random.i64(50..=2000);
        let time = jiff::Timestamp::from_second(second).map_err(io::Error::other)?;
        rows.write_record([
            id.to_string(),
            time.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
            PRODUCTS[random.usize(..PRODUCTS.len())].to_owned(),
            REGIONS[random.usize(..REGIONS.len())].to_owned(),
            quantity.to_string(),
            format!("{}.{:02}", cents / 100, cents % 100),
            (random.u8(..20) == 0).to_string(),
        ])?;
    }
    rows.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_depends_on_its_seed_and_number_alone() {
        let place = tempfile::tempdir().unwrap();
        let made = |number, seed| {
            let path = place.path().join("source.csv");
            write(number, seed, &path).unwrap();
            std::fs::read_to_string(path).unwrap()
        };
        assert_eq!(made(1, 1), made(1, 1));
        assert_ne!(made(1, 1), made(2, 1));
        assert_ne!(made(1, 1), made(1, 2));
        assert_eq!(made(1, 1).lines().count(), 51);
    }
}
