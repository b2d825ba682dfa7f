//! Addresses of other nodes, as configuration names them. Looks up no name.

use std::fmt;

use crate::definition::ConfigType;
use crate::list;
use crate::value::ConfigValue;

/// `host:port`; an IPv6 address stands in brackets when it is written, and without them here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    pub host: String,
    /// Never 0.
    pub port: u16,
}

impl HostPort {
    /// Nothing where the text is not an address that another node could reach.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.trim().rsplit_once(':')?;
        let host = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']')?,
            None if host.contains(':') => return None,
            None => host,
        };
        let character = |c: char| c.is_ascii_alphanumeric() || "._-:%".contains(c);
        let port = port.parse::<u16>().ok().filter(|port| *port != 0)?;
        let is_host = !host.is_empty() && host.chars().all(character);
        is_host.then(|| HostPort { host: host.to_owned(), port })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HostPort { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// A voter of the metadata quorum: `id@host:port`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Voter {
    pub id: i32,
    pub host: String,
    pub port: u16,
}

impl Voter {
    /// Nothing where the text is not a voter that another node could reach.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, address) = text.trim().split_once('@')?;
        let id = id.parse().ok().filter(|id| *id >= 0)?;
        let HostPort { host, port } = HostPort::parse(address)?;
        Some(Voter { id, host, port })
    }

    /// Where its controller listener is.
    pub fn address(&self) -> HostPort {
        HostPort { host: self.host.clone(), port: self.port }
    }
}

impl fmt::Display for Voter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.id, self.address())
    }
}

impl ConfigValue for Vec<Voter> {
    const TYPE: ConfigType = ConfigType::List;

    fn from_text(text: &str) -> Result<Self, String> {
        let voter = |word: &str| {
            let voter = Voter::parse(word)
                .ok_or_else(|| format!("{word} is not id@host:port, for example 2@kafka-2:9093"))?;
            refuse_wildcard(&voter.host, word)?;
            Ok(voter)
        };
        list::elements(text).into_iter().map(voter).collect()
    }
}

impl ConfigValue for Vec<HostPort> {
    const TYPE: ConfigType = ConfigType::List;

    fn from_text(text: &str) -> Result<Self, String> {
        let address = |word: &str| {
            let address = HostPort::parse(word)
                .ok_or_else(|| format!("{word} is not host:port, for example kafka-1:9093"))?;
            refuse_wildcard(&address.host, word)?;
            Ok(address)
        };
        list::elements(text).into_iter().map(address).collect()
    }
}

fn refuse_wildcard(host: &str, word: &str) -> Result<(), String> {
    if !is_wildcard(host) {
        return Ok(());
    }
    Err(format!("{word} names every interface of a machine, not one that others can connect to"))
}

/// What a node may listen on, but nobody can connect to.
pub(crate) fn is_wildcard(host: &str) -> bool {
    matches!(host, "" | "0.0.0.0" | "::" | "0:0:0:0:0:0:0:0")
}

#[cfg(test)]
mod tests;
