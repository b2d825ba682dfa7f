//! Both dialects on one record, and what is refused.

use bytes::Bytes;
use ottla_protocol::Str;
use ottla_protocol::records::TimestampType;

use super::*;

fn record() -> ConsumedRecord {
    ConsumedRecord {
        topic: Str::from("t"),
        partition: 2,
        offset: 17,
        timestamp: 5,
        timestamp_type: TimestampType::CreateTime,
        leader_epoch: 3,
        key: Some(Bytes::from_static(b"k\xff")),
        value: None,
        headers: vec![(Str::from("a"), Some(Bytes::from_static(b"1"))), (Str::from("a"), None)],
    }
}

fn write(template: &str) -> Vec<u8> {
    let mut out = Vec::new();
    Template::parse(template).unwrap().write(&record(), 9, &mut out);
    out
}

#[test]
fn tokens() {
    assert_eq!(write("%t/%p@%o e%e %T=%d #%i\\n"), b"t/2@17 e3 5=5 #9\n");
    assert_eq!(write("%k|%K|%v|%s|%V|%S|%%"), b"k\xff|2|||-1|-1|%");
    assert_eq!(write("%h %H%h{<%k:%v>}"), b"a=1,a=NULL 2<a:1><a:>");
    assert_eq!(write("\\x00\\t}"), b"\0\t}");
}

#[test]
fn refused() {
    for bad in ["%", "%z", "%h{%k", "%h{%t}", "\\q", "\\xg0"] {
        assert!(Template::parse(bad).is_err(), "{bad}");
    }
}
