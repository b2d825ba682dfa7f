//! Offsets of partitions, and deletion of old records.

use std::collections::BTreeMap;
use std::time::Duration;

use ottla_env::Env;
use ottla_protocol::Str;
use ottla_protocol::messages::DeleteRecordsRequest;
use ottla_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};

use super::Admin;
use crate::client::{Lane, Target};
use crate::error::{Error, Result};
use crate::offsets::{self, FoundOffset, Isolation, OffsetSpec};
use crate::topic_partition::TopicPartition;

impl<E: Env> Admin<E> {
    /// An offset of each partition.
    ///
    /// # Errors
    /// If a topic or partition is not there, or its leader does not answer.
    pub async fn list_offsets(
        &self,
        wanted: &[(TopicPartition, OffsetSpec)],
        isolation: Isolation,
    ) -> Result<BTreeMap<TopicPartition, FoundOffset>> {
        offsets::list(&self.client, wanted, isolation).await
    }

    /// Deletes the records below an offset (-1: all that are committed); answers with the first
    /// offset that is left.
    ///
    /// # Errors
    /// The leader's answer, such as OFFSET_OUT_OF_RANGE.
    pub async fn delete_records(&self, partition: &TopicPartition, before: i64) -> Result<i64> {
        let mut backoff = self.client.backoff();
        loop {
            match self.delete_records_once(partition, before).await {
                Ok(low) => return Ok(low),
                Err(error) => {
                    self.client.forget(&partition.topic);
                    backoff.wait(error).await?;
                }
            }
        }
    }

    async fn delete_records_once(&self, partition: &TopicPartition, before: i64) -> Result<i64> {
        let names: [Str; 1] = [partition.topic.clone()];
        let cluster = self.client.topics(&names, false).await?;
        let doing = || format!("delete records of {partition}");
        let leader = cluster.leader(&partition.topic, partition.partition);
        let Some((leader, _)) = leader else {
            return Err(Error::answer(5, doing(), None));
        };
        let deleted = DeleteRecordsPartition {
            partition_index: partition.partition,
            offset: before,
            ..DeleteRecordsPartition::default()
        };
        let request = DeleteRecordsRequest {
            topics: vec![DeleteRecordsTopic {
                name: partition.topic.clone(),
                partitions: vec![deleted],
                ..DeleteRecordsTopic::default()
            }],
            timeout_ms: self.timeout_ms(),
            ..DeleteRecordsRequest::default()
        };
        let target = Target::Broker(leader);
        let response = self.client.call(target, Lane::default(), &request, Duration::ZERO).await?;
        let answer = response.topics.iter().flat_map(|topic| &topic.partitions).next();
        let answer = answer.ok_or_else(|| Error::answer(-1, doing(), None))?;
        Error::check(answer.error_code, doing, None)?;
        Ok(answer.low_watermark)
    }
}
