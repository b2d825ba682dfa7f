//! The batches in a run of bytes, one after the other, as slices of it.

use bytes::Bytes;

use crate::records::batch_error::BatchError;
use crate::records::header::BatchHeader;

/// Iterates over whole batches; stops after the first error. A batch cut off at the end is an error here: a
/// fetch response's last, partial batch is for its reader to expect.
pub fn batches(bytes: &Bytes) -> Batches {
    Batches { rest: bytes.clone() }
}

#[derive(Debug, Clone)]
pub struct Batches {
    rest: Bytes,
}

impl Iterator for Batches {
    type Item = Result<(BatchHeader, Bytes), BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let parsed = BatchHeader::parse(&self.rest).and_then(|header| {
            let needed = header.size_in_bytes();
            let remaining = self.rest.len();
            if needed > remaining {
                return Err(BatchError::Truncated { needed, remaining });
            }
            Ok(header)
        });
        match parsed {
            Ok(header) => Some(Ok((header, self.rest.split_to(header.size_in_bytes())))),
            Err(error) => {
                self.rest = Bytes::new();
                Some(Err(error))
            }
        }
    }
}
