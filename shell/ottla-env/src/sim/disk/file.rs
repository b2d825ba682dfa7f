//! The bytes of one file: what a reader sees, what is durable, and every version in between.
//!
//! A page that is in no map is all zeroes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::loss::Chance;

/// The page cache's unit.
pub(super) const PAGE: usize = 4096;
/// What a disk writes whole or not at all.
const SECTOR: usize = 512;
/// Versions of a page remembered between two syncs; older ones are as good as lost.
const VERSIONS_MAX: usize = 4;

type Page = Arc<[u8; PAGE]>;
type Pages = BTreeMap<u64, Page>;
type Versions = BTreeMap<u64, Vec<Page>>;

/// One file's bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct FileState {
    len: u64,
    pages: Pages,
    durable_len: u64,
    durable: Pages,
    /// Lengths since the durable one, oldest first.
    lens: Vec<u64>,
    /// Versions of pages since the durable one, oldest first.
    dirty: Versions,
    /// As `dirty`, after a failed sync: no later sync makes these durable.
    forsaken: Versions,
    allocated: u64,
    pub(super) modified_ms: i64,
}

impl FileState {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Bytes of disk taken.
    pub(super) fn usage(&self) -> u64 {
        self.allocated.max((self.pages.len() * PAGE) as u64)
    }

    /// Bytes of disk a write would take on top.
    pub(super) fn growth(&self, position: u64, len: usize) -> u64 {
        if len == 0 {
            return 0;
        }
        let pages = page_of(position)..=page_of(position + len as u64 - 1);
        let fresh = pages.filter(|page| !self.pages.contains_key(page)).count() as u64;
        let after = (self.pages.len() as u64 + fresh) * PAGE as u64;
        after.saturating_sub(self.usage())
    }

    pub(super) fn read(&self, buf: &mut [u8], position: u64) -> usize {
        let left = usize::try_from(self.len.saturating_sub(position)).unwrap_or(usize::MAX);
        let count = buf.len().min(left);
        let mut done = 0;
        while done < count {
            let at = position + done as u64;
            let inside = (at % PAGE as u64) as usize;
            let step = (PAGE - inside).min(count - done);
            match self.pages.get(&page_of(at)) {
                Some(page) => buf[done..done + step].copy_from_slice(&page[inside..inside + step]),
                None => buf[done..done + step].fill(0),
            }
            done += step;
        }
        count
    }

    /// Everything from the beginning to the end.
    pub(super) fn read_all(&self) -> Vec<u8> {
        let len = usize::try_from(self.len).unwrap_or(usize::MAX);
        let mut bytes = Vec::with_capacity(len);
        for (index, page) in &self.pages {
            let at = usize::try_from(index * PAGE as u64).unwrap_or(usize::MAX);
            if at >= len {
                break;
            }
            bytes.resize(at, 0);
            bytes.extend_from_slice(&page[..PAGE.min(len - at)]);
        }
        bytes.resize(len, 0);
        bytes
    }

    pub(super) fn write(&mut self, bytes: &[u8], position: u64) {
        let mut done = 0;
        while done < bytes.len() {
            let at = position + done as u64;
            let inside = (at % PAGE as u64) as usize;
            let step = (PAGE - inside).min(bytes.len() - done);
            let page = match <&[u8; PAGE]>::try_from(&bytes[done..done + step]) {
                Ok(whole) => Arc::new(*whole),
                Err(_) => {
                    let before = self.pages.get(&page_of(at));
                    let mut page = Arc::new(before.map_or([0; PAGE], |page| **page));
                    let bytes = &bytes[done..done + step];
                    // Nobody else has it yet: nothing is copied.
                    Arc::make_mut(&mut page)[inside..inside + step].copy_from_slice(bytes);
                    page
                }
            };
            self.put_page(page_of(at), page);
            done += step;
        }
        let end = position + bytes.len() as u64;
        if !bytes.is_empty() && end > self.len {
            self.put_len(end);
        }
    }

    pub(super) fn set_len(&mut self, len: u64) {
        let inside = (len % PAGE as u64) as usize;
        if len < self.len {
            let boundary = page_of(len);
            if inside > 0
                && let Some(page) = self.pages.get(&boundary)
            {
                let mut page = **page;
                page[inside..].fill(0);
                self.put(boundary, page);
            }
            let first = if inside > 0 { boundary + 1 } else { boundary };
            self.zero_from(first);
            self.allocated = self.allocated.min(len);
        }
        if len != self.len {
            self.put_len(len);
        }
    }

    /// Zeroes the first `len` bytes and reserves them.
    pub(super) fn allocate(&mut self, len: u64) {
        let whole: Vec<u64> = self.pages.range(..page_of(len)).map(|(page, _)| *page).collect();
        for page in whole {
            self.put(page, [0; PAGE]);
            self.pages.remove(&page);
        }
        let inside = (len % PAGE as u64) as usize;
        if inside > 0
            && let Some(page) = self.pages.get(&page_of(len))
        {
            let mut page = **page;
            page[..inside].fill(0);
            self.put(page_of(len), page);
        }
        self.allocated = self.allocated.max(len);
        if len > self.len {
            self.put_len(len);
        }
    }

    /// Everything is durable now, save what a failed sync forsook.
    pub(super) fn sync(&mut self) {
        for page in std::mem::take(&mut self.dirty).into_keys() {
            self.make_durable(page);
        }
        self.sync_len();
    }

    /// The pages of a range, and the length, are durable now.
    pub(super) fn sync_range(&mut self, position: u64, len: usize) {
        if len == 0 {
            return;
        }
        for page in page_of(position)..=page_of(position + len as u64 - 1) {
            if self.dirty.remove(&page).is_some() {
                self.make_durable(page);
            }
        }
        self.sync_len();
    }

    /// A sync failed: nobody will ever know what became of these pages.
    pub(super) fn forsake(&mut self) {
        for (page, versions) in std::mem::take(&mut self.dirty) {
            self.forsaken.entry(page).or_default().extend(versions);
        }
    }

    /// Turns a bit over, in the cache and on the platter.
    pub(super) fn flip_bit(&mut self, byte: u64, bit: u8) {
        let inside = (byte % PAGE as u64) as usize;
        for pages in [&mut self.pages, &mut self.durable] {
            let page = pages.entry(page_of(byte)).or_insert_with(|| Arc::new([0; PAGE]));
            Arc::make_mut(page)[inside] ^= 1 << (bit % 8);
        }
    }

    /// What is left when the power goes.
    pub(super) fn survivor(&self, chance: &mut Chance) -> FileState {
        let len = chance.pick_len(self.durable_len, &self.lens);
        let mut pages = self.durable.clone();
        for versions in [&self.forsaken, &self.dirty] {
            for (index, versions) in versions {
                if let Some(page) = pick_page(pages.get(index), versions, chance) {
                    pages.insert(*index, page);
                }
            }
        }
        trim(&mut pages, len);
        FileState {
            len,
            pages: pages.clone(),
            durable_len: len,
            durable: pages,
            allocated: self.allocated.min(len),
            modified_ms: self.modified_ms,
            ..FileState::default()
        }
    }

    /// Whether a power cut may change anything.
    pub(super) fn is_clean(&self) -> bool {
        self.dirty.is_empty() && self.forsaken.is_empty() && self.lens.is_empty()
    }

    fn put(&mut self, index: u64, bytes: [u8; PAGE]) {
        self.put_page(index, Arc::new(bytes));
    }

    fn put_page(&mut self, index: u64, page: Page) {
        let versions = self.dirty.entry(index).or_default();
        if versions.len() == VERSIONS_MAX {
            versions.remove(0);
        }
        versions.push(page.clone());
        self.pages.insert(index, page);
    }

    fn put_len(&mut self, len: u64) {
        self.len = len;
        if self.lens.len() == VERSIONS_MAX {
            self.lens.remove(0);
        }
        self.lens.push(len);
    }

    /// Pages from `first` on read as zeroes; a later sync makes that durable.
    fn zero_from(&mut self, first: u64) {
        let mut gone: Vec<u64> = self.pages.range(first..).map(|(page, _)| *page).collect();
        gone.extend(self.durable.range(first..).map(|(page, _)| *page));
        gone.sort_unstable();
        gone.dedup();
        for page in gone {
            self.put(page, [0; PAGE]);
            self.pages.remove(&page);
        }
    }

    fn make_durable(&mut self, page: u64) {
        self.forsaken.remove(&page);
        match self.pages.get(&page) {
            Some(bytes) => self.durable.insert(page, bytes.clone()),
            None => self.durable.remove(&page),
        };
    }

    fn sync_len(&mut self) {
        self.durable_len = self.len;
        self.lens.clear();
    }
}

fn page_of(position: u64) -> u64 {
    position / PAGE as u64
}

/// One of the versions, whole or with some sectors of what was there before; `None` for the latter.
fn pick_page(durable: Option<&Page>, versions: &[Page], chance: &mut Chance) -> Option<Page> {
    let page = &versions[chance.pick_version(versions.len())?];
    if !chance.tears() {
        return Some(page.clone());
    }
    let mut torn = durable.map_or([0; PAGE], |page| **page);
    for (old, new) in torn.chunks_mut(SECTOR).zip(page.chunks(SECTOR)) {
        if chance.sector_survives() {
            old.copy_from_slice(new);
        }
    }
    Some(Arc::new(torn))
}

/// Nothing is kept past the end of the file.
fn trim(pages: &mut Pages, len: u64) {
    let inside = (len % PAGE as u64) as usize;
    let first = if inside > 0 { page_of(len) + 1 } else { page_of(len) };
    pages.split_off(&first);
    if inside > 0
        && let Some(page) = pages.get_mut(&page_of(len))
        && page[inside..].iter().any(|byte| *byte != 0)
    {
        Arc::make_mut(page)[inside..].fill(0);
    }
}
