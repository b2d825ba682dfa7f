//! `ottla cluster elect`: leaders of partitions, by preference or, where data may be lost, uncleanly.

use clap::Args;
use ottla_client::admin::Election;
use ottla_client::{Admin, TopicPartition};
use ottla_env::os::OsEnv;
use ottla_protocol::Str;

use super::{Connection, Failure, Outcome};
use crate::exit::Exit;
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct Elect {
    /// Partitions, as TOPIC or TOPIC:PARTITION; all of the cluster if none is given.
    partitions: Vec<String>,
    /// Let a replica lead that is not in sync, where no other is left. Records may be lost.
    #[arg(long, requires = "partitions")]
    unclean: bool,
    #[command(flatten)]
    pub(super) connection: Connection,
}

pub(super) async fn elect(admin: &Admin<OsEnv>, flags: &Elect) -> Outcome {
    let election = if flags.unclean { Election::Unclean } else { Election::Preferred };
    let mut named = Vec::new();
    for word in &flags.partitions {
        named.extend(partitions_of(admin, word).await?);
    }
    let wanted = if flags.partitions.is_empty() { None } else { Some(named.as_slice()) };
    let fates = admin.elect_leaders(election, wanted).await?;
    let (mut elected, mut failed) = (0, 0);
    for (partition, fate) in fates {
        match fate {
            Ok(()) => elected += 1,
            Err(error) => {
                failed += 1;
                output::complain(&format!("{partition}: {error}"));
            }
        }
    }
    output::print(&format!("{elected} partitions are led as they should be\n"));
    Ok(if failed == 0 { Exit::Done } else { Exit::Failed })
}

async fn partitions_of(admin: &Admin<OsEnv>, word: &str) -> Outcome<Vec<TopicPartition>> {
    if let Some((topic, partition)) = word.rsplit_once(':') {
        let wrong = || Failure::Input(format!("\"{word}\" is not TOPIC or TOPIC:PARTITION"));
        let partition = partition.parse().map_err(|_| wrong())?;
        return Ok(vec![TopicPartition::new(Str::copy_from(topic), partition)]);
    }
    let topic = admin.describe_topic(&Str::copy_from(word)).await?;
    let partitions = topic.partitions.iter();
    Ok(partitions.map(|found| TopicPartition::new(topic.name.clone(), found.index)).collect())
}
