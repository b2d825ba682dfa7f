//! The Fetch answer, written by hand: record batches go out as the slices they were read as, and no
//! structure is built first. The layout is that of `FetchResponse` v4-18.

use bytes::Bytes;
use ottla_protocol::{ApiKey, EncodeError, Encoder, ErrorCode, Str, Uuid};
use smallvec::SmallVec;

use super::answer::{self, Answer, Envelope};
use super::context::RequestContext;
use crate::partition::session::InterestKey;

/// Slices of one partition's records.
pub(crate) type Chunks = SmallVec<[Bytes; 4]>;

/// First version with compact lengths and tagged fields.
const FLEXIBLE: i16 = 12;
/// No offset is known: the partition is not read.
const UNKNOWN: i64 = -1;

/// One partition's part of the answer.
#[derive(Debug, Clone)]
pub(crate) struct Fetched {
    pub(crate) topic: Str,
    pub(crate) topic_id: Uuid,
    pub(crate) partition: i32,
    pub(crate) error: Option<ErrorCode>,
    pub(crate) high_watermark: i64,
    pub(crate) last_stable_offset: i64,
    pub(crate) log_start_offset: i64,
    /// Where the reader's log stops agreeing with ours (KIP-595).
    pub(crate) diverging: Option<EpochEnd>,
    /// Producer and first offset of each aborted transaction in the records; nothing where the
    /// reader reads uncommitted records.
    pub(crate) aborted: Option<Vec<(i64, i64)>>,
    pub(crate) records: Chunks,
    pub(crate) bytes: usize,
}

/// The end of a leader epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EpochEnd {
    pub(crate) epoch: i32,
    pub(crate) end_offset: i64,
}

impl Fetched {
    /// A partition of which nothing is known yet.
    pub(crate) fn empty(key: &InterestKey) -> Fetched {
        Fetched {
            topic: key.topic.clone(),
            topic_id: key.topic_id,
            partition: key.partition,
            error: None,
            high_watermark: UNKNOWN,
            last_stable_offset: UNKNOWN,
            log_start_offset: UNKNOWN,
            diverging: None,
            aborted: None,
            records: Chunks::new(),
            bytes: 0,
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
pub(crate) fn encode(
    context: &RequestContext,
    error: Option<ErrorCode>,
    session_id: i32,
    fetched: &[Fetched],
) -> Result<Answer, EncodeError> {
    let version = context.version;
    let flexible = version >= FLEXIBLE;
    let mut e = Envelope::new(ApiKey::Fetch, context).begin()?;
    e.enter("FetchResponse", version);
    e.put_i32(0); // ThrottleTimeMs
    if version >= 7 {
        e.put_i16(error.map_or(0, ErrorCode::code));
        e.put_i32(session_id);
    }
    let same_topic = |a: &Fetched, b: &Fetched| a.topic_id == b.topic_id && a.topic == b.topic;
    e.length("FetchResponse.Responses", fetched.chunk_by(same_topic).count(), flexible)?;
    for topic in fetched.chunk_by(same_topic) {
        encode_topic(&mut e, topic, version, flexible)?;
    }
    no_tags(&mut e, flexible);
    Ok(answer::finish(e))
}

fn encode_topic(
    e: &mut Encoder,
    partitions: &[Fetched],
    version: i16,
    flexible: bool,
) -> Result<(), EncodeError> {
    if version >= 13 {
        e.put_uuid(partitions[0].topic_id);
    } else {
        e.string("FetchResponse.Topic", partitions[0].topic.as_bytes(), flexible)?;
    }
    e.length("FetchResponse.Partitions", partitions.len(), flexible)?;
    for partition in partitions {
        encode_partition(e, partition, version, flexible)?;
    }
    no_tags(e, flexible);
    Ok(())
}

fn encode_partition(
    e: &mut Encoder,
    fetched: &Fetched,
    version: i16,
    flexible: bool,
) -> Result<(), EncodeError> {
    e.put_i32(fetched.partition);
    e.put_i16(fetched.error_code());
    e.put_i64(fetched.high_watermark);
    e.put_i64(fetched.last_stable_offset);
    if version >= 5 {
        e.put_i64(fetched.log_start_offset);
    }
    encode_aborted(e, fetched.aborted.as_deref(), flexible)?;
    if version >= 11 {
        e.put_i32(-1); // PreferredReadReplica
    }
    e.length("FetchResponse.Records", fetched.bytes, flexible)?;
    let mut rest = fetched.bytes;
    for chunk in &fetched.records {
        rest -= chunk.len();
        e.put_bytes(chunk);
    }
    assert_eq!(rest, 0, "the records are as long as announced");
    match fetched.diverging.filter(|_| flexible) {
        None => no_tags(e, flexible),
        Some(diverging) => {
            e.put_unsigned_varint(1);
            let mut tag = e.begin_tag();
            tag.put_i32(diverging.epoch);
            tag.put_i64(diverging.end_offset);
            no_tags(&mut tag, true);
            e.end_tag(0, tag);
        }
    }
    Ok(())
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
