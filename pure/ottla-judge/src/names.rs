//! Every text once: a history of millions of events holds numbers.

use hashbrown::HashTable;

/// A text, by its number. 0 is the empty one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Name(pub(crate) u32);

/// All texts of a history.
#[derive(Debug, Clone)]
pub struct Names {
    texts: Vec<Box<str>>,
    by_text: HashTable<u32>,
}

impl Default for Names {
    fn default() -> Names {
        let mut names = Names { texts: Vec::new(), by_text: HashTable::new() };
        names.name("");
        names
    }
}

impl Names {
    /// The number of a text, new or known.
    ///
    /// # Panics
    /// If there are more than 2^32 texts.
    pub fn name(&mut self, text: &str) -> Name {
        let Names { texts, by_text } = self;
        let hash = fnv(text);
        if let Some(found) = by_text.find(hash, |at| *texts[*at as usize] == *text) {
            return Name(*found);
        }
        assert!(texts.len() < u32::MAX as usize, "too many names");
        let name = texts.len() as u32;
        texts.push(text.into());
        by_text.insert_unique(hash, name, |at| fnv(&texts[*at as usize]));
        Name(name)
    }

    /// The text.
    pub fn text(&self, name: Name) -> &str {
        &self.texts[name.0 as usize]
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.texts.len()
    }
}

/// FNV-1a, with a last mixing for the table's high bits.
fn fnv(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
