//! What every use of the client shares: where the cluster is, names, time limits.

use std::time::Duration;

/// The settings of a [`crate::Client`].
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// "host:port" of some brokers of the cluster; the port may be left out (9092).
    pub bootstrap: Vec<String>,
    pub client_id: String,
    /// Whoever asks knows topics by id, as nodes of a cluster do: the newest version of every request is used.
    /// Otherwise those that name topics only by id are not.
    pub topics_by_id: bool,
    /// For one connection to come about, resolving and negotiating included.
    pub connect_timeout: Duration,
    /// For one answer; the connection is given up when it passes.
    pub request_timeout: Duration,
    /// For a call with all its retries.
    pub api_timeout: Duration,
    /// Metadata older than this is asked for again.
    pub metadata_max_age: Duration,
    /// The first wait before a retry; it doubles.
    pub retry_backoff: Duration,
    /// The longest wait before a retry.
    pub retry_backoff_max: Duration,
}

impl ClientOptions {
    /// The defaults, for a cluster found at these comma-separated addresses.
    pub fn new(bootstrap: &str) -> ClientOptions {
        let addresses = bootstrap.split(',').map(str::trim).filter(|address| !address.is_empty());
        ClientOptions { bootstrap: addresses.map(str::to_owned).collect(), ..Self::default() }
    }
}

impl Default for ClientOptions {
    fn default() -> ClientOptions {
        ClientOptions {
            bootstrap: vec!["localhost:9092".to_owned()],
            client_id: "ottla".to_owned(),
            topics_by_id: false,
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            api_timeout: Duration::from_secs(60),
            metadata_max_age: Duration::from_secs(300),
            retry_backoff: Duration::from_millis(50),
            retry_backoff_max: Duration::from_secs(1),
        }
    }
}

/// Takes "host:port", "host", "[v6]:port" apart.
pub(crate) fn host_and_port(address: &str) -> Option<(&str, u16)> {
    const DEFAULT_PORT: u16 = 9092;
    // A client configuration may name the protocol; only plaintext is spoken.
    let address = address.strip_prefix("PLAINTEXT://").unwrap_or(address);
    if let Some(rest) = address.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, port.parse().ok()?)),
            None => rest.is_empty().then_some((host, DEFAULT_PORT)),
        };
    }
    match address.split_once(':') {
        Some((_, port)) if port.contains(':') => Some((address, DEFAULT_PORT)),
        Some(("", _)) => None,
        Some((host, port)) => Some((host, port.parse().ok()?)),
        None => (!address.is_empty()).then_some((address, DEFAULT_PORT)),
    }
}

#[cfg(test)]
mod tests {
    use super::host_and_port;

    #[test]
    fn addresses() {
        assert_eq!(host_and_port("a:1"), Some(("a", 1)));
        assert_eq!(host_and_port("a"), Some(("a", 9092)));
        assert_eq!(host_and_port("PLAINTEXT://a:7"), Some(("a", 7)));
        assert_eq!(host_and_port("[::1]:7"), Some(("::1", 7)));
        assert_eq!(host_and_port("[::1]"), Some(("::1", 9092)));
        assert_eq!(host_and_port("::1"), Some(("::1", 9092)));
        for bad in ["", ":1", "a:b", "a:99999", "[::1"] {
            assert_eq!(host_and_port(bad), None, "{bad}");
        }
    }
}
