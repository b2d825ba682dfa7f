//! `wal/epoch`: which session's groups are the newest. Replaced at each start, before the first
//! group is written, so that nothing an earlier session left behind is taken for new.

use std::path::Path;

use ottla_env::Disk;

use super::group::crc32c;

const MAGIC: u32 = 0x4f57_4550;
/// Raised with the format of the groups, which it vouches for.
const VERSION: u16 = 2;
const BYTES: usize = 32;

/// What the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EpochFile {
    pub(crate) epoch: u64,
    /// Where the session's first group begins.
    pub(crate) start_lsn: u64,
}

impl EpochFile {
    pub(crate) fn encode(&self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[0..4].copy_from_slice(&MAGIC.to_be_bytes());
        bytes[4..6].copy_from_slice(&VERSION.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.epoch.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.start_lsn.to_be_bytes());
        let crc = crc32c(&bytes[..24]);
        bytes[24..28].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<EpochFile, String> {
        let bytes: &[u8; BYTES] = bytes.try_into().map_err(|_| "it has not 32 bytes".to_owned())?;
        let number = |at: usize| {
            u64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes by the range"))
        };
        if bytes[24..28] != crc32c(&bytes[..24]).to_be_bytes() {
            return Err("its checksum does not match".to_owned());
        }
        let version = u16::from_be_bytes([bytes[4], bytes[5]]);
        if bytes[..4] != MAGIC.to_be_bytes() || version != VERSION {
            return Err(format!(
                "its format is version {version}, this program's {VERSION}: start the program \
                 that wrote the directory, or choose an empty one"
            ));
        }
        Ok(EpochFile { epoch: number(8), start_lsn: number(16) })
    }

    /// Reads the file; `None` if there is none. Damage is an error: with the wrong epoch, valid groups
    /// would look like leftovers.
    pub(crate) fn read<D: Disk>(disk: &D, path: &Path) -> Result<Option<EpochFile>, String> {
        match disk.read_file(path, BYTES as u64) {
            Ok(bytes) => EpochFile::decode(&bytes).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }
}
