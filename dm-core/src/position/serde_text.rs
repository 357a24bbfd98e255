//! Positions and sets are stored as their text.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{BinlogFile, BinlogPos, MariaDbGtidSet, MySqlGtidSet};

macro_rules! as_text {
    ($($ty:ty => $text:expr;)+) => {$(
        impl Serialize for $ty {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let text: fn(&$ty) -> String = $text;
                serializer.serialize_str(&text(self))
            }
        }

        impl<'de> Deserialize<'de> for $ty {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    )+};
}

as_text! {
    BinlogFile => ToString::to_string;
    BinlogPos => BinlogPos::to_colon_text;
    MySqlGtidSet => ToString::to_string;
    MariaDbGtidSet => MariaDbGtidSet::to_state_text;
}
