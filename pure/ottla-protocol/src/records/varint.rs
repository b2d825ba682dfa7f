//! Zigzag varints as records write them, and a reader of borrowed bytes that never runs past their end.

use crate::records::batch_error::BatchError;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    #[inline]
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    #[inline]
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    #[inline]
    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    #[inline]
    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], BatchError> {
        let end = self.at.checked_add(length);
        let slice = end.and_then(|end| self.bytes.get(self.at..end));
        let Some(slice) = slice else {
            return Err(BatchError::Truncated { needed: length, remaining: self.remaining() });
        };
        self.at += length;
        Ok(slice)
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], BatchError> {
        let slice = self.take(N)?;
        Ok(*slice.first_chunk().expect("take returned N bytes"))
    }

    #[inline]
    pub(crate) fn i8(&mut self) -> Result<i8, BatchError> {
        Ok(i8::from_be_bytes(self.array()?))
    }

    pub(crate) fn i32(&mut self) -> Result<i32, BatchError> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub(crate) fn i64(&mut self) -> Result<i64, BatchError> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<i32, BatchError> {
        let raw = self.base128(5)? as u32;
        Ok((raw >> 1) as i32 ^ -((raw & 1) as i32))
    }

    #[inline]
    pub(crate) fn varlong(&mut self) -> Result<i64, BatchError> {
        let raw = self.base128(10)?;
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    /// Most numbers in a record fit one byte, and lengths two.
    #[inline]
    fn base128(&mut self, most_bytes: usize) -> Result<u64, BatchError> {
        match self.bytes.get(self.at..) {
            Some([first, ..]) if *first < 0x80 => {
                self.at += 1;
                Ok(u64::from(*first))
            }
            Some([first, second, ..]) if *second < 0x80 => {
                self.at += 2;
                Ok(u64::from(*first & 0x7f) | u64::from(*second) << 7)
            }
            _ => self.long_base128(most_bytes),
        }
    }

    fn long_base128(&mut self, most_bytes: usize) -> Result<u64, BatchError> {
        let mut value = 0u64;
        for i in 0..most_bytes {
            let Some(byte) = self.bytes.get(self.at).copied() else {
                return Err(BatchError::Truncated { needed: 1, remaining: 0 });
            };
            self.at += 1;
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(BatchError::InvalidRecord("a varint does not end"))
    }

    /// A length and that many bytes; any negative length is null.
    #[inline]
    pub(crate) fn nullable_slice(&mut self) -> Result<Option<&'a [u8]>, BatchError> {
        match self.varint()? {
            length if length < 0 => Ok(None),
            length => Ok(Some(self.take(length as usize)?)),
        }
    }
}

pub(crate) fn put_varint(out: &mut Vec<u8>, value: i32) {
    put_base128(out, u64::from(((value << 1) ^ (value >> 31)) as u32));
}

pub(crate) fn put_varlong(out: &mut Vec<u8>, value: i64) {
    put_base128(out, ((value << 1) ^ (value >> 63)) as u64);
}

fn put_base128(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// How many bytes [`put_varint`] writes.
pub(crate) fn varint_size(value: i32) -> usize {
    base128_size(u64::from(((value << 1) ^ (value >> 31)) as u32))
}

/// How many bytes [`put_varlong`] writes.
pub(crate) fn varlong_size(value: i64) -> usize {
    base128_size(((value << 1) ^ (value >> 63)) as u64)
}

fn base128_size(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

#[cfg(test)]
mod tests;
