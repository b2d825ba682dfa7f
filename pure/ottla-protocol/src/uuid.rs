//! `Uuid`, Kafka's 128-bit id in its base64url spelling. It never makes one: randomness comes from outside.

use std::fmt;
use std::str::FromStr;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

/// The text is not 22 characters of base64url that stand for 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseUuidError;

impl Uuid {
    /// "No id": what a message holds where no id was set.
    pub const ZERO: Uuid = Uuid([0; 16]);

    /// The reserved id of the metadata log's topic (Kafka's ONE_UUID).
    pub const ONE: Uuid = Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

    pub const fn from_u128(value: u128) -> Self {
        Self(value.to_be_bytes())
    }

    /// Two halves, most significant first, as Java prints and compares them.
    pub const fn from_halves(most: u64, least: u64) -> Self {
        Self::from_u128(((most as u128) << 64) | least as u128)
    }

    /// A random (version 4) id out of 16 random bytes.
    pub const fn from_random(mut bytes: [u8; 16]) -> Self {
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(bytes)
    }

    pub const fn as_u128(self) -> u128 {
        u128::from_be_bytes(self.0)
    }

    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 22 characters carry 132 bits: the four spare ones at the end are zero.
        let value = self.as_u128();
        let mut text = [0u8; 22];
        for (i, slot) in text.iter_mut().enumerate() {
            let low = 128i32 - 6 * (i as i32 + 1);
            let bits = if low >= 0 { value >> low } else { value << -low };
            *slot = ALPHABET[(bits & 63) as usize];
        }
        f.pad(std::str::from_utf8(&text).expect("the alphabet is ASCII"))
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Uuid {
    type Err = ParseUuidError;

    fn from_str(text: &str) -> Result<Self, ParseUuidError> {
        let text = text.trim_end_matches('=').as_bytes();
        if text.len() != 22 {
            return Err(ParseUuidError);
        }
        let mut value = 0u128;
        for (i, c) in text.iter().enumerate() {
            let digit = ALPHABET.iter().position(|a| a == c).ok_or(ParseUuidError)? as u128;
            // The last character holds two bits of the id and four that must be empty.
            if i == 21 && digit & 15 != 0 {
                return Err(ParseUuidError);
            }
            value = if i == 21 { (value << 2) | (digit >> 4) } else { (value << 6) | digit };
        }
        Ok(Self::from_u128(value))
    }
}

impl fmt::Display for ParseUuidError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an id: expected 22 characters of base64url")
    }
}

impl std::error::Error for ParseUuidError {}

#[cfg(test)]
mod tests;
