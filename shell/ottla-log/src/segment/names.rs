//! The names of a segment's files: the base offset in twenty digits, and what the file is.

/// What a file of a partition's folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The batches.
    Log,
    /// Offset index.
    Index,
    /// Time index.
    TimeIndex,
    /// Aborted transactions.
    TxnIndex,
    /// Producer state as of the base offset.
    Snapshot,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 5] =
        [Kind::Log, Kind::Index, Kind::TimeIndex, Kind::TxnIndex, Kind::Snapshot];

    /// The suffix without its dot.
    pub const fn suffix(self) -> &'static str {
        match self {
            Kind::Log => "log",
            Kind::Index => "index",
            Kind::TimeIndex => "timeindex",
            Kind::TxnIndex => "txnindex",
            Kind::Snapshot => "snapshot",
        }
    }
}

/// What more a name may say: that the file is on its way in or out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// In use.
    Live,
    /// `.deleted`: waits for `file.delete.delay.ms`.
    Deleted,
    /// `.cleaned`: half-written by the cleaner; worthless after a crash.
    Cleaned,
    /// `.swap`: whole, and about to replace older segments.
    Swap,
}

/// The name of a live file.
pub fn name(base_offset: i64, kind: Kind) -> String {
    format!("{base_offset:020}.{}", kind.suffix())
}

/// The name of a file in another stage.
pub fn staged(base_offset: i64, kind: Kind, stage: Stage) -> String {
    let suffix = STAGES.iter().find(|(_, known)| *known == stage).map_or("", |(suffix, _)| suffix);
    format!("{}{suffix}", name(base_offset, kind))
}

/// Takes a name apart; `None` if it is not a segment's file.
pub fn parse(name: &str) -> Option<(i64, Kind, Stage)> {
    let staged =
        STAGES.iter().find_map(|(suffix, stage)| Some((name.strip_suffix(suffix)?, *stage)));
    let (name, stage) = staged.unwrap_or((name, Stage::Live));
    let (digits, suffix) = name.split_once('.')?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.suffix() == suffix)?;
    let plain = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let base_offset = plain.then(|| digits.parse().ok()).flatten()?;
    Some((base_offset, kind, stage))
}

const STAGES: [(&str, Stage); 3] =
    [(".deleted", Stage::Deleted), (".cleaned", Stage::Cleaned), (".swap", Stage::Swap)];
