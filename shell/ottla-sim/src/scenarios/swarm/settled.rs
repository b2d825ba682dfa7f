//! When all is well again every move ends, every replica is in one directory of its node, and the controller
//! believes it where it is: asked of the nodes while they run, and of their disks when they have stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use ottla_client::Admin;
use ottla_client::admin::{ConfigChange, Resource};
use ottla_env::sim::{SimDisk, SimEnv};
use ottla_env::{Disk, MonoTime};
use ottla_judge::watch::OnePlace;
use ottla_log::kafka_dir::meta_properties;
use ottla_metadata::MetadataRecord;
use ottla_metadata::image::MetadataImage;
use ottla_protocol::records::{batches, records};
use ottla_protocol::{Str, Uuid};

use super::Story;
use super::cluster::{DATA, MOVE_RATE};
use super::directories::{Directories, Named, describe};
use super::files::SEGMENT_MAX;

/// Between two looks at moves that are under way.
const LOOK: Duration = Duration::from_millis(250);
/// How long the controller may take to hear where a replica is: a node tells it again after a second, and waits
/// ten for an answer.
const HEARD_LIMIT: Duration = Duration::from_secs(15);
/// Copies need not crawl any more.
const UNLIMITED: &str = "1000000000";
/// What a batch of the metadata log may decompress to.
const BATCH_MAX: usize = 64 << 20;

/// Where each node said that its replicas are.
pub(super) type Places = BTreeMap<(i32, Named), String>;

impl Story<'_> {
    /// Waits until no replica is on its way; answers where each is.
    pub(super) async fn until_moved(
        &self,
        env: &SimEnv,
        admin: &Admin<SimEnv>,
        calm_since: MonoTime,
    ) -> Result<Places, String> {
        if self.setup.choice.moves.is_none() {
            return Ok(Places::new());
        }
        let change = [ConfigChange::Set(MOVE_RATE.into(), UNLIMITED.into())];
        let changed = admin.alter_configs(&Resource::Broker(None), &change, false).await;
        changed.map_err(|error| format!("liveness: the throttle of moves: {error}"))?;
        let places = loop {
            match self.places(env).await {
                Ok(places) => break places,
                Err(text) if self.left(calm_since).is_zero() => {
                    return Err(format!("liveness: {text}"));
                }
                Err(_not_yet) => self.sim.sleep(LOOK).await,
            }
        };
        self.sim.sleep(HEARD_LIMIT).await;
        Ok(places)
    }

    /// Where all replicas are, or what is not yet as it should be.
    async fn places(&self, env: &SimEnv) -> Result<Places, String> {
        let mut places = Places::new();
        for (node, address) in (1..).zip(self.cluster.addresses()) {
            let told = describe(env, *address).await;
            let told = told.map_err(|error| format!("directories of node {node}: {error}"))?;
            if let Some(text) = unsettled(&told) {
                return Err(format!("node {node}: {text}"));
            }
            for ((topic, index), found) in told.replicas {
                let found: Vec<&str> = found.iter().map(Str::as_str).collect();
                if let Some(wrong) = OnePlace::holds(&format!("{topic}-{index}"), node, &found) {
                    return Err(wrong.text);
                }
                places.insert((node, (topic, index)), found.concat());
            }
        }
        Ok(places)
    }

    /// What the disks of nodes that have stopped say of `places`: first the broken promise, if any.
    pub(super) fn misplaced(
        &self,
        places: &Places,
        committed: i64,
    ) -> Result<Option<String>, String> {
        if places.is_empty() {
            return Ok(None);
        }
        let mut ids = BTreeMap::new();
        for (node, index) in (1..).zip(0..self.setup.choice.nodes) {
            for path in self.cluster.directories(index) {
                let id = directory_id(&self.cluster.disk(index), path)?;
                ids.insert((node, id), *path);
            }
        }
        let images = (0..self.cluster.len())
            .filter_map(|index| image(&self.cluster.disk(index), committed).transpose());
        let images = images.collect::<Result<Vec<_>, _>>()?;
        // Not all have all that is committed; an observer may have none of it.
        let Some(image) = images.iter().max_by_key(|image| image.next_offset) else {
            return Err("no disk has a metadata log".to_owned());
        };
        for topic in image.topics.iter() {
            for (index, partition) in topic.partitions.iter() {
                for node in &partition.replicas {
                    let what = format!("{}-{index}", topic.name);
                    let named = (topic.name.clone(), *index);
                    let Some(place) = places.get(&(*node, named)) else {
                        let wrong = OnePlace::holds(&what, *node, &[]);
                        return Ok(wrong.map(|wrong| wrong.text));
                    };
                    let believed = partition.directory(*node).unwrap_or_default();
                    let unknown = format!("{believed:?}");
                    let believed = ids.get(&(*node, believed)).copied().unwrap_or(&unknown);
                    if let Some(wrong) = OnePlace::knows(&what, *node, place, believed) {
                        return Ok(Some(wrong.text));
                    }
                }
            }
        }
        Ok(None)
    }
}

fn unsettled(told: &Directories) -> Option<String> {
    if told.online.is_empty() {
        return Some("no directory is online".to_owned());
    }
    let copy = told.copies.iter().next();
    copy.map(|(named, places)| {
        format!("{named:?} has a copy in {places:?}, {} more", told.copies.len() - 1)
    })
}

fn directory_id(disk: &SimDisk, path: &str) -> Result<Uuid, String> {
    let file = Path::new(path).join("meta.properties");
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let bytes = disk.read_file(&file, SEGMENT_MAX).map_err(|error| failed(&error))?;
    let parsed = meta_properties::parse(&String::from_utf8_lossy(&bytes));
    let parsed = parsed.map_err(|error| failed(&error))?;
    parsed.directory_id.ok_or_else(|| failed(&"no directory id"))
}

/// What the metadata log on a disk adds up to, as far as it is committed; nothing where it begins later.
fn image(disk: &SimDisk, committed: i64) -> Result<Option<MetadataImage>, String> {
    let folder = Path::new(DATA).join("__cluster_metadata-0");
    let Ok(entries) = disk.read_dir(&folder) else { return Ok(None) };
    let segments: BTreeSet<String> =
        entries.into_iter().map(|entry| entry.name).filter(|name| name.ends_with(".log")).collect();
    let mut image = MetadataImage::default();
    let mut held_back: Option<Vec<MetadataRecord>> = None;
    for segment in &segments {
        let bytes = disk.read_file(&folder.join(segment), SEGMENT_MAX);
        let bytes = bytes.map_err(|error| format!("{segment}: {error}"))?.into();
        for batch in batches(&bytes) {
            let Ok((header, batch)) = batch else { break };
            if header.base_offset > image.next_offset {
                return Ok(None);
            }
            if header.next_offset() > committed {
                return Ok(Some(image));
            }
            image.next_offset = header.next_offset();
            if header.is_control() {
                continue;
            }
            let wrong = |error: &dyn std::fmt::Display| format!("metadata log: {error}");
            for record in records(&header, &batch, BATCH_MAX).map_err(|error| wrong(&error))? {
                let value = record.map_err(|error| wrong(&error))?.value.unwrap_or_default();
                let record = MetadataRecord::decode(value).map_err(|error| wrong(&error))?;
                let in_effect = match (record, &mut held_back) {
                    (MetadataRecord::BeginTransaction(_), held) => {
                        *held = Some(Vec::new());
                        Vec::new()
                    }
                    (MetadataRecord::AbortTransaction(_), held) => {
                        *held = None;
                        Vec::new()
                    }
                    (MetadataRecord::EndTransaction(_), held) => held.take().unwrap_or_default(),
                    (record, Some(held)) => {
                        held.push(record);
                        Vec::new()
                    }
                    (record, None) => vec![record],
                };
                for record in in_effect {
                    image.apply(&record).map_err(|error| wrong(&error))?;
                }
            }
        }
    }
    Ok(Some(image))
}
