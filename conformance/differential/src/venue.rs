//! Where scripts are played: one broker, or a cluster whose nodes can be stopped and started through whoever
//! started them.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Venue {
    /// Of node 1, 2, and so on.
    addresses: Vec<String>,
    /// Who obeys [`Venue::order`]; nobody where there is one broker.
    control: Option<String>,
}

impl Venue {
    /// Addresses with commas between them.
    pub(crate) fn new(addresses: &str, control: Option<&str>) -> Venue {
        let addresses = addresses.split(',').map(str::to_owned).collect();
        Venue { addresses, control: control.map(str::to_owned) }
    }

    pub(crate) fn is_cluster(&self) -> bool {
        self.control.is_some()
    }

    /// Where node `node` serves, counted from 1.
    pub(crate) fn address(&self, node: usize) -> Result<&str, String> {
        let address = node.checked_sub(1).and_then(|place| self.addresses.get(place));
        address.map(String::as_str).ok_or_else(|| format!("there is no node {node}"))
    }

    pub(crate) fn nodes(&self) -> usize {
        self.addresses.len()
    }

    /// Has something done to the cluster, such as `stop 2`, and waits until it is.
    pub(crate) fn order(&self, order: &str) -> Result<(), String> {
        let control = self.control.as_deref().ok_or("this is no cluster")?;
        let failed = |error: std::io::Error| format!("{order}: {error}");
        let mut stream = TcpStream::connect(control).map_err(failed)?;
        writeln!(stream, "{order}").map_err(failed)?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).map_err(failed)?;
        match answer.trim() {
            "done" => Ok(()),
            other => Err(format!("{order}: {other}")),
        }
    }
}
