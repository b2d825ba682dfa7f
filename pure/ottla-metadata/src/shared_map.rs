//! An ordered map whose clones share memory: cloning costs a pointer per chunk of entries, a change
//! copies one chunk. Never hashes, so iteration order is the keys' order everywhere.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

/// Entries per chunk before it is split.
const CHUNK_MAX: usize = 128;

/// See the module's first line.
#[derive(Clone)]
pub struct SharedMap<K, V> {
    /// No chunk is empty, and keys ascend within chunks and across them.
    chunks: Vec<Arc<Vec<(K, V)>>>,
    len: usize,
}

impl<K, V> Default for SharedMap<K, V> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }
}

impl<K: Ord + Clone, V: Clone> SharedMap<K, V> {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let chunk = self.chunks.get(self.chunk_of(key)?)?;
        let at = chunk.binary_search_by(|(k, _)| k.borrow().cmp(key)).ok()?;
        Some(&chunk[at].1)
    }

    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    /// The value to change in place; clones the chunk where it is shared.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let index = self.chunk_of(key)?;
        let at = self.chunks[index].binary_search_by(|(k, _)| k.borrow().cmp(key)).ok()?;
        Some(&mut Arc::make_mut(&mut self.chunks[index])[at].1)
    }

    /// Sets the value and returns the one that stood there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let Some(index) = self.chunk_of(&key) else {
            // Below every key, or the first key of all.
            match self.chunks.first_mut() {
                Some(first) => Arc::make_mut(first).insert(0, (key, value)),
                None => self.chunks.push(Arc::new(vec![(key, value)])),
            }
            self.len += 1;
            self.split(0);
            return None;
        };
        let chunk = Arc::make_mut(&mut self.chunks[index]);
        match chunk.binary_search_by(|(k, _)| k.cmp(&key)) {
            Ok(at) => Some(std::mem::replace(&mut chunk[at].1, value)),
            Err(at) => {
                chunk.insert(at, (key, value));
                self.len += 1;
                self.split(index);
                None
            }
        }
    }

    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let index = self.chunk_of(key)?;
        let at = self.chunks[index].binary_search_by(|(k, _)| k.borrow().cmp(key)).ok()?;
        let chunk = Arc::make_mut(&mut self.chunks[index]);
        let (_, value) = chunk.remove(at);
        if chunk.is_empty() {
            self.chunks.remove(index);
        }
        self.len -= 1;
        Some(value)
    }

    /// Every entry, in the order of keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.chunks.iter().flat_map(|chunk| chunk.iter().map(|(k, v)| (k, v)))
    }

    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// The entries at and after a key (or only after it), in the order of keys.
    pub fn iter_from<'a, Q: Ord + ?Sized>(
        &'a self,
        from: Bound<&Q>,
    ) -> impl Iterator<Item = (&'a K, &'a V)>
    where
        K: Borrow<Q>,
    {
        let (chunk, at) = match from {
            Bound::Unbounded => (0, 0),
            Bound::Included(key) => self.position(key, false),
            Bound::Excluded(key) => self.position(key, true),
        };
        let rest = self.chunks.get(chunk + 1..).unwrap_or_default();
        let first = self.chunks.get(chunk).and_then(|c| c.get(at..)).unwrap_or_default();
        let rest = rest.iter().flat_map(|chunk| chunk.iter());
        first.iter().chain(rest).map(|(k, v)| (k, v))
    }

    /// The key that is highest, and its value.
    pub fn last(&self) -> Option<(&K, &V)> {
        self.chunks.last().and_then(|chunk| chunk.last()).map(|(k, v)| (k, v))
    }

    /// Where the first entry at (or, where `after`, behind) the key stands.
    fn position<Q: Ord + ?Sized>(&self, key: &Q, after: bool) -> (usize, usize)
    where
        K: Borrow<Q>,
    {
        let Some(index) = self.chunk_of(key) else { return (0, 0) };
        let at = match self.chunks[index].binary_search_by(|(k, _)| k.borrow().cmp(key)) {
            Ok(at) => at + usize::from(after),
            Err(at) => at,
        };
        (index, at)
    }

    /// The only chunk that may hold the key; none where it lies below every key.
    fn chunk_of<Q: Ord + ?Sized>(&self, key: &Q) -> Option<usize>
    where
        K: Borrow<Q>,
    {
        self.chunks.partition_point(|chunk| chunk[0].0.borrow() <= key).checked_sub(1)
    }

    fn split(&mut self, index: usize) {
        if self.chunks[index].len() <= CHUNK_MAX {
            return;
        }
        // Keys mostly arrive in ascending order: leave a full chunk behind, not two halves.
        let keep = if index + 1 == self.chunks.len() { CHUNK_MAX } else { CHUNK_MAX / 2 };
        let lower = Arc::make_mut(&mut self.chunks[index]);
        let upper = lower.split_off(keep);
        // It grew by doubling to take the one too many, and stays as it is now for long.
        lower.shrink_to_fit();
        self.chunks.insert(index + 1, Arc::new(upper));
    }
}

impl<K: PartialEq, V: PartialEq> PartialEq for SharedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len
            && self
                .chunks
                .iter()
                .flat_map(|chunk| chunk.iter())
                .eq(other.chunks.iter().flat_map(|chunk| chunk.iter()))
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for SharedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.chunks.iter().flat_map(|chunk| chunk.iter().map(|(k, v)| (k, v)));
        f.debug_map().entries(entries).finish()
    }
}

#[cfg(test)]
mod tests;
