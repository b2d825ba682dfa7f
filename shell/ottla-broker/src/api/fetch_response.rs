//! The Fetch answer, written by hand: record batches go out as the slices of memory or the ranges of
//! files they were read as, and no structure is built first. The layout is that of `FetchResponse` v4-18.

use bytes::Bytes;
use ottla_env::File;
use ottla_protocol::{ApiKey, EncodeError, Encoder, ErrorCode, Str, Uuid};
use smallvec::SmallVec;

use super::answer::{Envelope, Part, PartedAnswer};
use super::context::RequestContext;
use super::nodes::Node;
use crate::log::FileRange;
use crate::partition::session::InterestKey;

/// Slices of one partition's records.
pub(crate) type Chunks = SmallVec<[Bytes; 4]>;

/// First version with compact lengths and tagged fields.
const FLEXIBLE: i16 = 12;
/// No offset is known: the partition is not read.
const UNKNOWN: i64 = -1;
/// No other replica is preferred.
const HERE: i32 = -1;
/// First version with the addresses of leaders.
const WITH_NODES: i16 = 16;

/// One partition's records.
pub(crate) enum Found<F> {
    Memory(Chunks),
    File(FileRange<F>),
}

/// One partition's part of the answer.
pub(crate) struct Fetched<F> {
    pub(crate) topic: Str,
    pub(crate) topic_id: Uuid,
    pub(crate) partition: i32,
    pub(crate) error: Option<ErrorCode>,
    pub(crate) high_watermark: i64,
    pub(crate) last_stable_offset: i64,
    pub(crate) log_start_offset: i64,
    /// Where the reader's log stops agreeing with ours (KIP-595).
    pub(crate) diverging: Option<EpochEnd>,
    /// Who leads instead (KIP-951).
    pub(crate) current_leader: Option<CurrentLeader>,
    /// Where a consumer is sent to read (KIP-392); -1 for here.
    pub(crate) preferred_replica: i32,
    /// Producer and first offset of each aborted transaction in the records; nothing where the
    /// reader reads uncommitted records.
    pub(crate) aborted: Option<Vec<(i64, i64)>>,
    pub(crate) records: Found<F>,
    pub(crate) bytes: usize,
    /// Milliseconds until a follower may be sent more, if it is throttled now (KIP-73).
    pub(crate) closed_for: Option<i64>,
}

impl<F> std::fmt::Debug for Fetched<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Fetched { topic, partition, error, bytes, .. } = self;
        write!(f, "{topic}-{partition}: {bytes} bytes, error {error:?}")
    }
}

/// The end of a leader epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EpochEnd {
    pub(crate) epoch: i32,
    pub(crate) end_offset: i64,
}

/// A leader and its epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CurrentLeader {
    pub(crate) id: i32,
    pub(crate) epoch: i32,
}

impl<F: File> Fetched<F> {
    /// A partition of which nothing is known yet.
    pub(crate) fn empty(key: &InterestKey) -> Fetched<F> {
        Fetched {
            topic: key.topic.clone(),
            topic_id: key.topic_id,
            partition: key.partition,
            error: None,
            high_watermark: UNKNOWN,
            last_stable_offset: UNKNOWN,
            log_start_offset: UNKNOWN,
            diverging: None,
            current_leader: None,
            preferred_replica: HERE,
            aborted: None,
            records: Found::Memory(Chunks::new()),
            bytes: 0,
            closed_for: None,
        }
    }

    /// What it is an answer to.
    pub(crate) fn key(&self) -> InterestKey {
        let (topic, topic_id) = (self.topic.clone(), self.topic_id);
        InterestKey { topic, topic_id, partition: self.partition }
    }

    fn error_code(&self) -> i16 {
        self.error.map_or(0, ErrorCode::code)
    }
}

/// The whole answer. `fetched` is in the order to be sent; neighbours of one topic share its header.
/// With it go the addresses of leaders that it names.
pub(crate) fn encode<F: File>(
    context: &RequestContext,
    error: Option<ErrorCode>,
    session_id: i32,
    (fetched, leaders): (Vec<Fetched<F>>, Vec<Node>),
) -> Result<PartedAnswer<F>, EncodeError> {
    let version = context.version;
    let flexible = version >= FLEXIBLE;
    let mut writer = Writer::<F> {
        encoder: Envelope::new(ApiKey::Fetch, context).begin()?,
        files: Vec::new(),
        version,
        flexible,
    };
    let e = &mut writer.encoder;
    e.enter("FetchResponse", version);
    e.put_i32(0); // ThrottleTimeMs
    if version >= 7 {
        e.put_i16(error.map_or(0, ErrorCode::code));
        e.put_i32(session_id);
    }
    let same_topic =
        |a: &Fetched<F>, b: &Fetched<F>| a.topic_id == b.topic_id && a.topic == b.topic;
    e.length("FetchResponse.Responses", fetched.chunk_by(same_topic).count(), flexible)?;
    for topic in fetched.chunk_by(same_topic) {
        writer.topic(topic)?;
    }
    writer.end(&leaders)?;
    Ok(writer.finish())
}

/// An answer being written: what is encoded, and where in it the ranges of files belong.
struct Writer<F> {
    encoder: Encoder,
    /// (encoded bytes before it, the range), in order.
    files: Vec<(usize, FileRange<F>)>,
    version: i16,
    flexible: bool,
}

impl<F: File> Writer<F> {
    fn topic(&mut self, partitions: &[Fetched<F>]) -> Result<(), EncodeError> {
        let (e, flexible) = (&mut self.encoder, self.flexible);
        if self.version >= 13 {
            e.put_uuid(partitions[0].topic_id);
        } else {
            e.string("FetchResponse.Topic", partitions[0].topic.as_bytes(), flexible)?;
        }
        e.length("FetchResponse.Partitions", partitions.len(), flexible)?;
        for partition in partitions {
            self.partition(partition)?;
        }
        no_tags(&mut self.encoder, flexible);
        Ok(())
    }

    fn partition(&mut self, fetched: &Fetched<F>) -> Result<(), EncodeError> {
        let (e, flexible) = (&mut self.encoder, self.flexible);
        e.put_i32(fetched.partition);
        e.put_i16(fetched.error_code());
        e.put_i64(fetched.high_watermark);
        e.put_i64(fetched.last_stable_offset);
        if self.version >= 5 {
            e.put_i64(fetched.log_start_offset);
        }
        encode_aborted(e, fetched.aborted.as_deref(), flexible)?;
        if self.version >= 11 {
            e.put_i32(fetched.preferred_replica);
        }
        e.length("FetchResponse.Records", fetched.bytes, flexible)?;
        match &fetched.records {
            Found::Memory(chunks) => {
                let mut rest = fetched.bytes;
                for chunk in chunks {
                    rest -= chunk.len();
                    e.put_bytes(chunk);
                }
                assert_eq!(rest, 0, "the records are as long as announced");
            }
            Found::File(range) => {
                assert_eq!(range.len(), fetched.bytes, "the range is as long as announced");
                self.files.push((e.len(), range.clone()));
            }
        }
        if flexible {
            let (diverging, leader) = (fetched.diverging, fetched.current_leader);
            e.put_unsigned_varint(u32::from(diverging.is_some()) + u32::from(leader.is_some()));
            if let Some(diverging) = diverging {
                let mut tag = e.begin_tag();
                tag.put_i32(diverging.epoch);
                tag.put_i64(diverging.end_offset);
                no_tags(&mut tag, true);
                e.end_tag(0, tag);
            }
            if let Some(leader) = leader {
                let mut tag = e.begin_tag();
                tag.put_i32(leader.id);
                tag.put_i32(leader.epoch);
                no_tags(&mut tag, true);
                e.end_tag(1, tag);
            }
        }
        Ok(())
    }

    /// The tags of the whole answer.
    fn end(&mut self, leaders: &[Node]) -> Result<(), EncodeError> {
        let e = &mut self.encoder;
        if leaders.is_empty() || self.version < WITH_NODES {
            no_tags(e, self.flexible);
            return Ok(());
        }
        e.put_unsigned_varint(1);
        let mut tag = e.begin_tag();
        tag.length("FetchResponse.NodeEndpoints", leaders.len(), true)?;
        for node in leaders {
            tag.put_i32(node.id);
            tag.string("NodeEndpoint.Host", node.host.as_bytes(), true)?;
            tag.put_i32(node.port);
            match &node.rack {
                Some(rack) => tag.string("NodeEndpoint.Rack", rack.as_bytes(), true)?,
                None => tag.null_length(true),
            }
            no_tags(&mut tag, true);
        }
        e.end_tag(0, tag);
        Ok(())
    }

    /// What is encoded, cut where a range of a file belongs.
    fn finish(self) -> PartedAnswer<F> {
        let in_files: usize = self.files.iter().map(|(_, range)| range.len()).sum();
        let length = self.encoder.len() + in_files;
        let mut parts = Vec::with_capacity(2 * self.files.len() + 4);
        let mut files = self.files.into_iter().peekable();
        let mut done = 0;
        for mut chunk in self.encoder.into_chunks() {
            while let Some((at, range)) = files.next_if(|(at, _)| *at < done + chunk.len()) {
                let before = chunk.split_to(at - done);
                done = at;
                if !before.is_empty() {
                    parts.push(Part::Bytes(before));
                }
                parts.push(Part::File(range));
            }
            done += chunk.len();
            parts.push(Part::Bytes(chunk));
        }
        parts.extend(files.map(|(_, range)| Part::File(range)));
        PartedAnswer { parts, length }
    }
}

fn encode_aborted(
    e: &mut Encoder,
    aborted: Option<&[(i64, i64)]>,
    flexible: bool,
) -> Result<(), EncodeError> {
    let Some(aborted) = aborted else {
        e.null_length(flexible);
        return Ok(());
    };
    e.length("FetchResponse.AbortedTransactions", aborted.len(), flexible)?;
    for (producer_id, first_offset) in aborted {
        e.put_i64(*producer_id);
        e.put_i64(*first_offset);
        no_tags(e, flexible);
    }
    Ok(())
}

fn no_tags(e: &mut Encoder, flexible: bool) {
    if flexible {
        e.put_unsigned_varint(0);
    }
}

#[cfg(test)]
mod tests;
