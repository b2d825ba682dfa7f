//! The data directories of a node, each a disk that may fail by itself: one keeps the metadata log,
//! all keep partitions. A partition stays where it was made (KIP-112, KIP-858) until it is told to move
//! (KIP-113, `partition/moving.rs`).

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use ottla_env::Env;
use ottla_protocol::{ErrorCode, Str, Uuid};
use parking_lot::Mutex;

use crate::config::LogConfig;
use crate::data_dir::DataDir;
use crate::fault::{Failed, LogError, OpenError};
use crate::options::{DataDirOptions, TopicPartition};
use crate::partition::Partition;

/// Partitions that are given a place before they are made.
const PREFERRED_MAX: usize = 100_000;

/// How far each directory is to be durable: one position for each that was written to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mark {
    /// In the first directory, which most nodes have alone.
    first: u64,
    others: Vec<(u8, u64)>,
}

impl Mark {
    /// Everything of the directory at `place` below `lsn` is waited for.
    pub fn raise(&mut self, place: u8, lsn: u64) {
        if place == 0 {
            self.first = self.first.max(lsn);
            return;
        }
        match self.others.iter_mut().find(|(other, _)| *other == place) {
            Some((_, known)) => *known = lsn.max(*known),
            None => self.others.push((place, lsn)),
        }
    }

    fn positions(&self) -> impl Iterator<Item = (usize, u64)> {
        let others = self.others.iter().map(|(place, lsn)| (usize::from(*place), *lsn));
        std::iter::once((0, self.first)).chain(others)
    }
}

/// See the module. Cheap to clone.
pub struct DataDirs<E: Env> {
    dirs: Arc<[DataDir<E>]>,
    /// The first takes no partitions besides the metadata log.
    is_first_apart: bool,
    /// A directory that is configured could not be opened: what it holds is not here, and not gone.
    misses_some: bool,
    /// One partition is placed at a time. Those that are not made yet may have been given a place.
    placing: Arc<Mutex<BTreeMap<(Str, i32), Uuid>>>,
}

impl<E: Env> Clone for DataDirs<E> {
    fn clone(&self) -> DataDirs<E> {
        let (dirs, placing) = (Arc::clone(&self.dirs), Arc::clone(&self.placing));
        let DataDirs { is_first_apart, misses_some, .. } = *self;
        DataDirs { dirs, is_first_apart, misses_some, placing }
    }
}

impl<E: Env> DataDirs<E> {
    /// Opens all directories. The first keeps the metadata log, and nothing else if it is apart; the
    /// node cannot be without it. Another one whose disk cannot be read is left out, with an error in
    /// the log.
    ///
    /// # Errors
    /// Those of [`DataDir::open`]; also a partition that is in two directories.
    pub fn open(
        env: &E,
        options: Vec<DataDirOptions>,
        is_first_apart: bool,
    ) -> Result<DataDirs<E>, OpenError> {
        let count = options.len().max(1);
        let mut dirs: Vec<DataDir<E>> = Vec::with_capacity(count);
        let mut misses_some = false;
        for options in options {
            let place = u8::try_from(dirs.len()).expect("the configuration allows fewer");
            let path = options.path.clone();
            let cluster_id = dirs.first().map(|first| first.cluster_id().to_owned());
            let cluster_id = cluster_id.or(options.cluster_id);
            let options = DataDirOptions { place, cluster_id, ..options }.share(count);
            match DataDir::open(env.clone(), options) {
                Ok((dir, _recovered)) => dirs.push(dir),
                Err(OpenError::Io { what, .. }) if !dirs.is_empty() => {
                    let path = path.display();
                    tracing::error!(%path, what, "this log directory cannot be opened; its \
                        partitions are offline until the node is started with it again");
                    misses_some = true;
                }
                Err(error) => return Err(error),
            }
        }
        settle_moves(&dirs, misses_some);
        refuse_twins(&dirs)?;
        let placing = Arc::default();
        Ok(DataDirs { dirs: dirs.into(), is_first_apart, misses_some, placing })
    }

    /// The directory with the metadata log.
    pub fn main(&self) -> &DataDir<E> {
        self.dirs.first().expect("there is one at least")
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &DataDir<E>> {
        self.dirs.iter()
    }

    /// Those that partitions are kept in.
    pub fn of_partitions(&self) -> impl Iterator<Item = &DataDir<E>> {
        self.dirs.iter().skip(usize::from(self.is_first_apart))
    }

    /// Ids of those that work.
    pub fn online(&self) -> Vec<Uuid> {
        let works = self.of_partitions().filter(|dir| dir.failed().is_none());
        works.map(DataDir::directory_id).collect()
    }

    /// Ids of those that have failed since they were opened.
    pub fn offline(&self) -> Vec<Uuid> {
        let failed = self.of_partitions().filter(|dir| dir.failed().is_some());
        failed.map(DataDir::directory_id).collect()
    }

    /// Whether a replica that is said to be in a directory cannot be reached by this node: a disk is
    /// missing, and it may be on that one. An empty log must not take its place.
    pub fn is_out_of_reach(&self, directory: Uuid) -> bool {
        self.misses_some() && !self.online().contains(&directory)
    }

    /// Whether a directory could not be opened, or has failed since.
    pub fn misses_some(&self) -> bool {
        self.misses_some || self.dirs.len() > 1 && !self.offline().is_empty()
    }

    /// A partition.
    pub fn partition(&self, topic_id: Uuid, partition: i32) -> Option<Arc<Partition<E>>> {
        self.iter().find_map(|dir| dir.partition(topic_id, partition))
    }

    /// All partitions.
    pub fn partitions(&self) -> Vec<Arc<Partition<E>>> {
        self.iter().flat_map(DataDir::partitions).collect()
    }

    /// All copies of partitions that are on their way to another directory.
    pub fn copies(&self) -> Vec<Arc<Partition<E>>> {
        self.iter().flat_map(DataDir::copies).collect()
    }

    /// The directory of this path, to the letter, as Kafka takes it.
    pub fn at_path(&self, path: &Path) -> Option<&DataDir<E>> {
        self.of_partitions().find(|dir| dir.path().as_os_str() == path.as_os_str())
    }

    /// Where a partition goes that is not made yet.
    pub fn prefer(&self, topic: &Str, partition: i32, directory: Uuid) {
        let mut preferred = self.placing.lock();
        // What never comes about must not add up.
        if preferred.len() < PREFERRED_MAX {
            preferred.insert((topic.detach(), partition), directory);
        }
    }

    /// A copy of a partition in another directory, made or found there; copies of it elsewhere are given
    /// up.
    ///
    /// # Errors
    /// Those of [`DataDir::create_partition`].
    pub fn begin_copy(
        &self,
        of: &Partition<E>,
        directory: Uuid,
    ) -> Result<Arc<Partition<E>>, LogError> {
        let _placing = self.placing.lock();
        self.drop_copies(of.id(), |dir| dir.directory_id() != directory)?;
        let dir = self.of_partitions().find(|dir| dir.directory_id() == directory);
        let dir = dir.ok_or_else(|| LogError::Refused {
            code: ErrorCode::LogDirNotFound,
            message: format!("there is no log directory {directory}"),
        })?;
        dir.create_copy(of)
    }

    /// Whether a directory still has the log whose place `now` took.
    pub fn holds_former(&self, now: &Partition<E>, directory: Uuid) -> bool {
        let (id, here) = (now.id(), now.directory_id());
        let dir = self.iter().find(|dir| dir.directory_id() == directory && directory != here);
        dir.is_some_and(|dir| dir.partition(id.topic_id, id.partition).is_some())
    }

    /// Gives up every copy of a partition.
    ///
    /// # Errors
    /// If a directory with one is offline.
    pub fn give_up_copies(&self, of: &TopicPartition) -> Result<(), LogError> {
        let _placing = self.placing.lock();
        self.drop_copies(of, |_| true)
    }

    /// Does something while nobody begins a copy or gives one up.
    pub fn undisturbed<T>(&self, work: impl FnOnce() -> T) -> T {
        let _placing = self.placing.lock();
        work()
    }

    fn drop_copies(
        &self,
        of: &TopicPartition,
        from: impl Fn(&DataDir<E>) -> bool,
    ) -> Result<(), LogError> {
        for dir in self.iter().filter(|dir| from(dir)) {
            if dir.copy(of.topic_id, of.partition).is_some() {
                dir.delete_partition(of.topic_id, of.partition)?;
            }
        }
        Ok(())
    }

    /// Deletes the log that a copy has taken the place of.
    ///
    /// # Errors
    /// If its directory is offline.
    pub fn delete_replaced(&self, log: &Partition<E>) -> Result<(), LogError> {
        let id = log.id();
        let dir = &self.dirs[usize::from(log.place())];
        dir.delete_partition(id.topic_id, id.partition).map(|_| ())
    }

    /// Makes a partition in the directory with the fewest, or gives the one that is there the
    /// configuration.
    ///
    /// # Errors
    /// Those of [`DataDir::create_partition`].
    pub fn create_partition(
        &self,
        id: &TopicPartition,
        config: impl Into<Arc<LogConfig>>,
    ) -> Result<Arc<Partition<E>>, LogError> {
        let config = config.into();
        if let [only] = &*self.dirs {
            return only.create_partition(id, config);
        }
        let mut preferred = self.placing.lock();
        // The name decides, so that one of another topic is refused where it is.
        let holder = self.iter().find(|dir| dir.holds(&id.topic, id.partition));
        if let Some(holder) = holder {
            return holder.create_partition(id, config);
        }
        // A copy whose original is gone is a copy of nothing.
        self.drop_copies(id, |dir| dir.failed().is_none())?;
        let works = || self.of_partitions().filter(|dir| dir.failed().is_none());
        let preferred = preferred.remove(&(id.topic.clone(), id.partition));
        let preferred =
            preferred.and_then(|directory| works().find(|dir| dir.directory_id() == directory));
        let emptiest = preferred.or_else(|| works().min_by_key(|dir| dir.partitions_count()));
        match emptiest {
            Some(dir) => dir.create_partition(id, config),
            None => Err(LogError::Refused {
                code: ErrorCode::KafkaStorageError,
                message: "no log directory works".to_owned(),
            }),
        }
    }

    /// Deletes a partition; see [`DataDir::delete_partition`].
    ///
    /// # Errors
    /// If its directory is offline.
    pub fn delete_partition(&self, topic_id: Uuid, partition: i32) -> Result<(), LogError> {
        let mut outcome = Ok(());
        for dir in self.iter() {
            // A copy is deleted with it; it is none if its directory is offline.
            let is_copy = dir.copy(topic_id, partition).is_some();
            let deleted = dir.delete_partition(topic_id, partition).map(|_| ());
            if !is_copy {
                outcome = outcome.and(deleted);
            }
        }
        outcome
    }

    /// Whether all that a mark names is durable.
    pub fn is_durable(&self, mark: &Mark) -> bool {
        mark.positions().all(|(place, lsn)| lsn <= self.dirs[place].durable())
    }

    /// Whether something that a mark names will never be durable.
    pub fn has_lost(&self, mark: &Mark) -> bool {
        let is_lost = |(place, lsn): (usize, u64)| {
            let dir = &self.dirs[place];
            lsn > dir.durable() && dir.failed().is_some()
        };
        mark.positions().any(is_lost)
    }

    /// Waits until all that a mark names is durable, or its directory has failed.
    ///
    /// # Errors
    /// If one of them has.
    pub async fn wait_durable(&self, mark: &Mark) -> Result<(), Failed> {
        let mut outcome = Ok(());
        for (place, lsn) in mark.positions() {
            outcome = self.dirs[place].wait_durable(lsn).await.and(outcome);
        }
        outcome
    }

    /// See [`DataDir::commit`].
    pub async fn commit(&self) {
        for dir in &*self.dirs {
            dir.commit().await;
        }
    }

    /// Waits until an append that was refused as busy may be tried again, in any of them.
    pub async fn room(&self) {
        if let [only] = &*self.dirs {
            return only.room().await;
        }
        let works = self.iter().filter(|dir| dir.failed().is_none());
        let mut rooms: Vec<Pin<Box<dyn Future<Output = ()> + Send + '_>>> =
            works.map(|dir| Box::pin(dir.room()) as _).collect();
        if rooms.is_empty() {
            return;
        }
        poll_fn(|context| {
            let is_ready = rooms.iter_mut().any(|room| room.as_mut().poll(context).is_ready());
            if is_ready { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// An orderly stop of all.
    pub async fn close(&self) {
        for dir in self.iter() {
            dir.close().await;
        }
    }

    /// Stops all where they are.
    pub async fn abandon(&self) {
        for dir in self.iter() {
            dir.abandon().await;
        }
    }
}

/// Ends moves that a crash interrupted: a log whose place was taken goes, and so does a copy of a log
/// that is nowhere. Another start does the same where this one does not come to it.
fn settle_moves<E: Env>(dirs: &[DataDir<E>], misses_some: bool) {
    // One directory alone has nothing twice, and many partitions to look at.
    for dir in dirs.iter().filter(|_| dirs.len() > 1) {
        for partition in dir.partitions() {
            let id = partition.id();
            let mut others =
                dirs.iter().filter_map(|other| other.partition(id.topic_id, id.partition));
            let log_end = partition.offsets().log_end;
            // It had all of this one, which was not appended to any more.
            let took_over = |other: Arc<Partition<E>>| {
                other.copying().follows(partition.copying()) && other.offsets().log_end >= log_end
            };
            if others.any(took_over) {
                tracing::info!(partition = %id, path = %dir.path().display(), "this log was moved to \
                    another directory; what is left here goes");
                forget(dir, id);
            }
        }
    }
    let has_original = |id: &TopicPartition| {
        dirs.iter().any(|dir| dir.partition(id.topic_id, id.partition).is_some())
    };
    for dir in dirs.iter().filter(|_| !misses_some) {
        for copy in dir.copies().iter().filter(|copy| !has_original(copy.id())) {
            forget(dir, copy.id());
        }
    }
}

fn forget<E: Env>(dir: &DataDir<E>, id: &TopicPartition) {
    if let Err(error) = dir.delete_partition(id.topic_id, id.partition) {
        tracing::warn!(partition = %id, %error, "it cannot be deleted now; the next start tries again");
    }
}

/// Which of two logs of a partition is the one nobody can say.
fn refuse_twins<E: Env>(dirs: &[DataDir<E>]) -> Result<(), OpenError> {
    for (at, dir) in dirs.iter().enumerate().skip(1) {
        for partition in dir.partitions() {
            let id = partition.id();
            let has_it = |other: &&DataDir<E>| other.partition(id.topic_id, id.partition).is_some();
            if let Some(other) = dirs[..at].iter().find(has_it) {
                let what = format!("{id} is also in {}", other.path().display());
                return Err(OpenError::Twin { path: dir.path().to_path_buf(), what });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
