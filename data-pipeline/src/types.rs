//! What a column holds: told from the first rows, where the file does not say it.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType, TimeUnit};
use serde::{Deserialize, Serialize};

use crate::engine::quoted;

/// How many rows are looked at.
pub(crate) const SAMPLE: usize = 1000;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Integer,
    Float,
    /// A number of so many digits, `scale` of them behind the point: exact where a double is not.
    Decimal {
        digits: u8,
        scale: u8,
    },
    Boolean,
    Time,
    Text,
}

impl Kind {
    /// As SQL names it.
    pub(crate) fn sql(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Integer => "BIGINT",
            Self::Float => "DOUBLE",
            Self::Decimal { digits, scale } => return Cow::Owned(format!("DECIMAL({digits}, {scale})")),
            Self::Boolean => "BOOLEAN",
            Self::Time => "TIMESTAMP(6)",
            Self::Text => "VARCHAR",
        })
    }

    /// As reports name it.
    pub(crate) fn shown(self) -> &'static str {
        match self {
            Self::Integer | Self::Float | Self::Decimal { .. } => "number",
            Self::Boolean => "boolean",
            Self::Time => "time",
            Self::Text => "text",
        }
    }

    pub(crate) fn is_number(self) -> bool {
        matches!(self, Self::Integer | Self::Float | Self::Decimal { .. })
    }

    /// What holds the values of two columns of one name.
    pub(crate) fn joined(self, other: Self) -> Self {
        match (self, other) {
            _ if self == other => self,
            _ if self.is_number() && other.is_number() => self.holding_both(other).unwrap_or(Self::Float),
            _ => Self::Text,
        }
    }

    /// The decimal that holds the values of both exactly, if there is one.
    fn holding_both(self, other: Self) -> Option<Self> {
        let (own, others) = (self.as_decimal()?, other.as_decimal()?);
        let scale = own.1.max(others.1);
        let digits = (own.0 - own.1).max(others.0 - others.1) + scale;
        (digits <= DECIMAL256_MAX_PRECISION).then_some(Self::Decimal { digits, scale })
    }

    /// Digits, and those of them behind the point, of what holds all values.
    fn as_decimal(self) -> Option<(u8, u8)> {
        match self {
            Self::Integer => Some((19, 0)),
            Self::Decimal { digits, scale } => Some((digits, scale)),
            _ => None,
        }
    }

    /// Of a column whose type is known. None: its values are no single ones.
    pub(crate) fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => Self::Integer,
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => Self::Integer,
            DataType::UInt64 => Self::Decimal { digits: 20, scale: 0 },
            DataType::Float16 | DataType::Float32 | DataType::Float64 => Self::Float,
            DataType::Decimal32(digits, scale)
            | DataType::Decimal64(digits, scale)
            | DataType::Decimal128(digits, scale)
            | DataType::Decimal256(digits, scale) => Self::of_decimal(*digits, *scale),
            DataType::Boolean => Self::Boolean,
            DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => Self::Time,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => Self::Text,
            DataType::Time32(_) | DataType::Time64(_) => Self::Text,
            DataType::Dictionary(_, values) => Self::of(values)?,
            _ => return None,
        })
    }

    fn of_decimal(digits: u8, scale: i8) -> Self {
        match u8::try_from(scale) {
            Ok(0) if digits <= 18 => Self::Integer,
            Ok(scale) if scale <= digits => Self::Decimal { digits, scale },
            // More zeros than SQL has a name for.
            _ => Self::Float,
        }
    }

    /// As Arrow names it.
    pub(crate) fn data_type(self) -> DataType {
        match self {
            Self::Integer => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Decimal { digits, scale } if digits <= DECIMAL128_MAX_PRECISION => {
                DataType::Decimal128(digits, scale.cast_signed())
            }
            Self::Decimal { digits, scale } => DataType::Decimal256(digits, scale.cast_signed()),
            Self::Boolean => DataType::Boolean,
            Self::Time => DataType::Timestamp(TimeUnit::Microsecond, None::<Arc<str>>),
            Self::Text => DataType::Utf8,
        }
    }

    /// Says in SQL what a text column's value is as one of this kind, or null.
    pub(crate) fn read_sql(self, column: &str) -> String {
        let column = quoted(column);
        match self {
            Self::Text => column,
            // A cast would take `y`, `on` and `1` as well.
            Self::Boolean => {
                format!("CASE lower({column}) WHEN 'true' THEN true WHEN 'false' THEN false END")
            }
            _ => format!("TRY_CAST({column} AS {})", self.sql()),
        }
    }

    /// Says why a text column's value was rejected that is none of this kind.
    pub(crate) fn reason(self, column: &str) -> String {
        match self {
            Self::Integer => format!("{column} is no whole number"),
            Self::Float | Self::Decimal { .. } => format!("{column} is no number"),
            Self::Boolean => format!("{column} is neither true nor false"),
            Self::Time => format!("{column} is no time"),
            Self::Text => format!("{column} is no text"),
        }
    }
}

/// What [`sample_sql`] counts of a column: values, and those of each kind.
pub(crate) const COUNTS: usize = 6;

/// SQL expressions over a column of text: how many of each have a value is what [`Kind::told_by`] asks for.
pub(crate) fn sample_sql(column: &str) -> [String; COUNTS] {
    let quoted = quoted(column);
    let [integer, float, boolean, time] =
        [Kind::Integer, Kind::Float, Kind::Boolean, Kind::Time].map(|kind| kind.read_sql(column));
    // Leading zeros, and whole numbers that a BIGINT does not hold: a number would lose digits of them.
    let digits = format!(
        "CASE WHEN {quoted} ~ '^[+-]?0[0-9]' OR ({quoted} ~ '^[+-]?[0-9]{{19,}}$' AND {integer} IS NULL) THEN 1 END"
    );
    [quoted, integer, float, boolean, time, digits]
}

impl Kind {
    /// What a column of text holds of whose first values so many are of each kind.
    ///
    /// One that holds for 19 of 20 values is the column's: the others are faults. `is_text`: numbers in it are none,
    /// since the file writes them as text.
    pub(crate) fn told_by(
        [values, integers, floats, booleans, times, digits]: [u64; COUNTS],
        is_text: bool,
    ) -> Self {
        let most = |count: u64| values > 0 && count * 20 >= values * 19;
        if most(booleans) && !is_text {
            Self::Boolean
        } else if most(integers) && digits == 0 && !is_text {
            Self::Integer
        } else if most(floats) && digits == 0 && !is_text {
            Self::Float
        } else if most(times) && !most(floats) {
            Self::Time
        } else {
            Self::Text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_of_the_narrowest_kind_that_nearly_all_values_are_of() {
        for (counts, expected) in [
            ([0, 0, 0, 0, 0, 0], Kind::Text),
            ([20, 20, 20, 0, 0, 0], Kind::Integer),
            ([20, 19, 19, 0, 0, 0], Kind::Integer),
            ([20, 18, 20, 0, 0, 0], Kind::Float),
            ([20, 18, 18, 0, 0, 0], Kind::Text),
            ([20, 0, 0, 20, 0, 0], Kind::Boolean),
            ([20, 0, 0, 0, 19, 0], Kind::Time),
            ([20, 20, 20, 0, 0, 1], Kind::Text),
        ] {
            assert_eq!(Kind::told_by(counts, false), expected, "{counts:?}");
        }
        assert_eq!(Kind::told_by([20, 20, 20, 0, 0, 0], true), Kind::Text);
        assert_eq!(Kind::told_by([20, 0, 0, 0, 20, 0], true), Kind::Time);
    }

    #[test]
    fn columns_of_one_name_are_numbers_together_or_text() {
        assert_eq!(Kind::Integer.joined(Kind::Integer), Kind::Integer);
        assert_eq!(Kind::Integer.joined(Kind::Float), Kind::Float);
        assert_eq!(Kind::Time.joined(Kind::Float), Kind::Text);
    }

    #[test]
    fn decimals_of_one_name_keep_all_digits_where_any_decimal_has_so_many() {
        let decimal = |digits, scale| Kind::Decimal { digits, scale };
        assert_eq!(decimal(20, 0).joined(Kind::Integer), decimal(20, 0));
        assert_eq!(Kind::Integer.joined(decimal(10, 2)), decimal(21, 2));
        assert_eq!(decimal(30, 2).joined(decimal(20, 10)), decimal(38, 10));
        assert_eq!(decimal(76, 0).joined(decimal(20, 1)), Kind::Float);
        assert_eq!(decimal(20, 0).joined(Kind::Float), Kind::Float);
        assert_eq!(decimal(20, 0).joined(Kind::Text), Kind::Text);
    }

    #[test]
    fn numbers_of_parquet_that_a_double_would_round_are_decimals() {
        let decimal = |digits, scale| Some(Kind::Decimal { digits, scale });
        for (data_type, expected) in [
            (DataType::UInt32, Some(Kind::Integer)),
            (DataType::UInt64, decimal(20, 0)),
            (DataType::Decimal64(18, 0), Some(Kind::Integer)),
            (DataType::Decimal128(19, 0), decimal(19, 0)),
            (DataType::Decimal128(9, 2), decimal(9, 2)),
            (DataType::Decimal256(76, 38), decimal(76, 38)),
            (DataType::Decimal128(5, -2), Some(Kind::Float)),
            (DataType::Binary, None),
        ] {
            let kind = Kind::of(&data_type);
            assert_eq!(kind, expected, "{data_type}");
            let is_same = kind.is_some_and(|kind| matches!(kind, Kind::Decimal { .. }));
            if is_same && data_type != DataType::UInt64 {
                assert_eq!(kind.map(Kind::data_type), Some(data_type));
            }
        }
    }
}
